import type { JsonObject } from "../../own.ts";
import { decodeMessage } from "./decode.ts";
import { writeMessage, written } from "./encode.ts";
import type { ReverseWriter } from "./reverse-writer.ts";
import { WireReader } from "./wire-reader.ts";

/** What every protobuf document of Kubernetes begins with; a runtime.Unknown message follows. */
const magic = Buffer.from("k8s\0");
/** Unknown's contentEncoding and contentType, empty. */
const tail = Buffer.from([0x1a, 0, 0x22, 0]);

export interface TypeMeta {
  apiVersion: string;
  kind: string;
}

/** Puts the envelope around an object's message, which `write` has to put in front of what the writer holds. */
function writeEnvelope(writer: ReverseWriter, { apiVersion, kind }: TypeMeta, writeRaw: () => void): void {
  writer.raw(tail);
  const beforeRaw = writer.length;
  writeRaw();
  writer.lengthSince(beforeRaw);
  writer.byte(0x12);
  const beforeType = writer.length;
  writer.text(kind);
  writer.byte(0x12);
  writer.text(apiVersion);
  writer.byte(0x0a);
  writer.lengthSince(beforeType);
  writer.byte(0x0a);
  writer.raw(magic);
}

/** An object as a document. */
export const encodeDocument = (type: TypeMeta, schema: string, object: object): Buffer =>
  written((writer) => writeEnvelope(writer, type, () => writeMessage(writer, schema, object)));

/** A message made by `encodeMessage` as a document. */
export const documentOf = (type: TypeMeta, message: Buffer): Buffer => written((writer) => writeEnvelope(writer, type, () => writer.raw(message)));

/** A list as a document: `metadata` is a ListMeta, the items are messages. */
export const listDocumentOf = (type: TypeMeta, metadata: object, items: readonly Buffer[]): Buffer => written((writer) => writeEnvelope(writer, type, () => {
  for (let i = items.length - 1; i >= 0; i--) {
    writer.bytes(items[i]!);
    writer.byte(0x12);
  }
  const before = writer.length;
  writeMessage(writer, "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta", metadata);
  writer.lengthSince(before);
  writer.byte(0x0a);
}));

/** A watch event in its frame: four bytes of length, then a WatchEvent message with the document in it. */
export function watchFrame(type: string, document: Buffer): Buffer {
  return written((writer) => {
    const before = writer.length;
    writer.bytes(document);
    writer.byte(0x0a);
    writer.lengthSince(before);
    writer.byte(0x12);
    writer.text(type);
    writer.byte(0x0a);
    const { length } = writer;
    for (let shift = 0; shift < 32; shift += 8) writer.byte((length >>> shift) & 255);
  });
}

/**
 * Reads a document as a type of the table, to what its JSON would parse to; kind and apiVersion are the envelope's, where it has them.
 * Throws a RangeError for bytes that aren't that.
 */
export function decodeDocument(bytes: Uint8Array, schema: string): JsonObject {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!buffer.subarray(0, 4).equals(magic)) throw new RangeError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
  const { type, raw } = readEnvelope(buffer.subarray(4));
  const object = decodeMessage(raw, schema);
  for (const [name, value] of Object.entries(type)) if (value) object[name] = value;
  return object;
}

function readEnvelope(bytes: Buffer): { type: { apiVersion?: string; kind?: string }; raw: Buffer } {
  const reader = new WireReader(bytes);
  let type: { apiVersion?: string; kind?: string } = {}, raw: Buffer = Buffer.alloc(0);
  while (reader.at < bytes.length) {
    const tag = reader.varint();
    if (tag === 0x0a) type = decodeMessage(reader.slice(bytes.length), "io.k8s.apimachinery.pkg.runtime.TypeMeta");
    else if (tag === 0x12) raw = reader.slice(bytes.length);
    else reader.skip(tag % 8, bytes.length);
  }
  return { type, raw };
}
