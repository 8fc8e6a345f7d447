import { isIPv6 } from "node:net";
import { flags, headerLength, types } from "./message.ts";

/** A resource record of the internet class. Names are without the dot at the end. */
export type Resource = { name: string; ttl: number } & (
  | { type: "A" | "AAAA"; address: string }
  | { type: "CNAME" | "PTR"; target: string }
  | { type: "SRV"; priority: number; weight: number; port: number; target: string }
  | { type: "TXT"; text: string }
  | { type: "SOA"; primary: string; contact: string; serial: number; refresh: number; retry: number; expire: number; minimum: number });

export interface Sections {
  rcode: number;
  authoritative: boolean;
  answers: readonly Resource[];
  authorities?: readonly Resource[];
  additionals?: readonly Resource[];
}

const compressible = 0x3fff;

/** A whole answer, with id 0 and names compressed. */
export function writeReply(question: { name: string; type: number }, { rcode, authoritative, answers, authorities = [], additionals = [] }: Sections): Buffer {
  const writer = new Writer();
  writer.u16(0).u16(flags.response | flags.recursionAvailable | (authoritative ? flags.authoritative : 0) | rcode).u16(1).u16(answers.length).u16(authorities.length).u16(additionals.length);
  writer.name(question.name).u16(question.type).u16(1);
  for (const resource of [...answers, ...authorities, ...additionals]) writer.resource(resource);
  return writer.bytes();
}

/** A question to a name server. `edns` asks for answers longer than 512 bytes. */
export function writeQuery({ id, name, type, checkingDisabled = false }: { id: number; name: string; type: number; checkingDisabled?: boolean }, edns?: { udpSize: number; wantsDnssec: boolean }): Buffer {
  const writer = new Writer();
  writer.u16(id).u16(flags.recursionDesired | (checkingDisabled ? flags.checkingDisabled : 0)).u16(1).u16(0).u16(0).u16(edns ? 1 : 0);
  writer.name(name).u16(type).u16(1);
  if (edns) writer.u8(0).u16(types.OPT).u16(edns.udpSize).u32(edns.wantsDnssec ? 0x8000 : 0).u16(0);
  return writer.bytes();
}

class Writer {
  #buffer = Buffer.allocUnsafe(512);
  #length = 0;
  readonly #names = new Map<string, number>();

  u8(value: number): this {
    this.#reserve(1);
    this.#length = this.#buffer.writeUInt8(value, this.#length);
    return this;
  }
  u16(value: number): this {
    this.#reserve(2);
    this.#length = this.#buffer.writeUInt16BE(value, this.#length);
    return this;
  }
  u32(value: number): this {
    this.#reserve(4);
    this.#length = this.#buffer.writeUInt32BE(value, this.#length);
    return this;
  }
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** A name that was there before is a pointer; so is the rest of one whose end was. */
  name(name: string): this {
    let rest = name.replace(/\.$/, "");
    while (rest) {
      const known = this.#names.get(rest);
      if (known !== undefined) return this.u16(0xc000 | known);
      if (this.#length <= compressible) this.#names.set(rest, this.#length);
      const dot = rest.indexOf(".");
      const label = dot < 0 ? rest : rest.slice(0, dot);
      this.#text(label.slice(0, 63));
      rest = dot < 0 ? "" : rest.slice(dot + 1);
    }
    return this.u8(0);
  }

  resource(resource: Resource): void {
    this.name(resource.name).u16(types[resource.type]).u16(1).u32(resource.ttl).u16(0);
    const start = this.#length;
    this.#data(resource);
    this.#buffer.writeUInt16BE(this.#length - start, start - 2);
  }

  #data(resource: Resource): void {
    switch (resource.type) {
      case "A": return resource.address.split(".").forEach((part) => this.u8(Number(part)));
      case "AAAA": return groupsOf(resource.address).forEach((group) => this.u16(group));
      case "CNAME":
      case "PTR": return void this.name(resource.target);
      // RFC 2782: no compression here.
      case "SRV": return void this.u16(resource.priority).u16(resource.weight).u16(resource.port).#plainName(resource.target);
      case "TXT": return this.#text(resource.text);
      case "SOA": return void this.name(resource.primary).name(resource.contact).u32(resource.serial).u32(resource.refresh).u32(resource.retry).u32(resource.expire).u32(resource.minimum);
    }
  }

  #plainName(name: string): this {
    for (const label of name.split(".")) this.#text(label);
    return this.u8(0);
  }

  #text(text: string): void {
    const bytes = Buffer.from(text, "latin1");
    this.u8(bytes.length).#reserve(bytes.length);
    this.#length += bytes.copy(this.#buffer, this.#length);
  }

  #reserve(size: number): void {
    if (this.#length + size <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(this.#buffer.length * 2 + size);
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

/** The eight groups of an IPv6 address. */
export function groupsOf(address: string): number[] {
  if (!isIPv6(address)) throw new Error(`${address} is no IPv6 address`);
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const text = dotted ? `${dotted[1]}${(Number(dotted[2]) * 256 + Number(dotted[3])).toString(16)}:${(Number(dotted[4]) * 256 + Number(dotted[5])).toString(16)}` : address;
  const [head = "", tail] = text.split("::");
  const groups = (part: string): number[] => (part ? part.split(":").map((group) => parseInt(group, 16)) : []);
  const before = groups(head), after = tail === undefined ? [] : groups(tail);
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
}

/** Where the first answer begins in what `writeReply` made for the question. */
export const answersAt = (questionName: string): number => headerLength + (questionName ? questionName.length + 2 : 1) + 4;
