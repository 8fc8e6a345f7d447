import type { HeaderFields } from "../http.ts";
import { mostPayload, TunnelProtocolError } from "./frames.ts";

/** As whom the peer asks, of the few roles its connection gives it; what the numbers stand for is the serving side's to say. */
export type Role = number;

export interface RequestHead {
  method: string;
  url: string;
  headers: Readonly<Record<string, string>>;
  role: Role;
}

/** Bytes of a `whole` answer at most; longer ones are streamed. */
export const mostWhole = 1 << 20;

/** `whole`: sent at once, `stream`: as it comes, `upgrade`: raw bytes both ways from here on. */
export type ResponseMode = "whole" | "stream" | "upgrade";

export interface ResponseHead {
  status: number;
  headers: HeaderFields;
  mode: ResponseMode;
}

const modes: readonly ResponseMode[] = ["whole", "stream", "upgrade"];
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const target = /^\/[\x21-\x7e]*$/;
const inValue = /^[\t\x20-\x7e\x80-\uffff]*$/;

export const encodeRequestHead = ({ method, url, headers, role }: RequestHead): Buffer => bounded(JSON.stringify([method, url, headers, role]));

export const encodeResponseHead = ({ status, headers, mode }: ResponseHead): Buffer => bounded(JSON.stringify([status, headers, modes.indexOf(mode)]));

/** Throws a `TunnelProtocolError` for what no peer of ours sends. */
export function decodeRequestHead(payload: Buffer): RequestHead {
  const [method, url, headers, role] = arrayOf(payload);
  if (typeof method !== "string" || !token.test(method)) throw new TunnelProtocolError("malformed method");
  if (typeof url !== "string" || !target.test(url)) throw new TunnelProtocolError("malformed path");
  if (!Number.isInteger(role)) throw new TunnelProtocolError("malformed role");
  const fields = fieldsOf(headers, (name) => name.toLowerCase());
  return { method, url, role: role as number, headers: Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, [value].flat().join(", ")])) };
}

/** Fields that whoever carries the response sets itself. */
const framing = new Set(["content-length", "transfer-encoding", "date"]);

export function decodeResponseHead(payload: Buffer): ResponseHead {
  const [status, headers, mode] = arrayOf(payload);
  const found = modes[mode as number];
  if (found === undefined) throw new TunnelProtocolError("malformed response");
  if (!Number.isInteger(status) || (found === "upgrade" ? status !== 101 : (status as number) < 200 || (status as number) > 599)) throw new TunnelProtocolError("malformed status");
  const fields = fieldsOf(headers, (name) => name);
  for (const name of Object.keys(fields)) if (framing.has(name.toLowerCase())) delete fields[name];
  return { status: status as number, headers: fields, mode: found };
}

function bounded(text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length > mostPayload) throw new RangeError("the request or its headers are too long for the tunnel");
  return bytes;
}

function arrayOf(payload: Buffer): unknown[] {
  try {
    const value: unknown = JSON.parse(payload.toString());
    if (Array.isArray(value)) return value;
  } catch {
    // Said below.
  }
  throw new TunnelProtocolError("malformed head");
}

const mostFields = 100;

function fieldsOf(value: unknown, nameOf: (name: string) => string): HeaderFields {
  if (typeof value !== "object" || value === null || Array.isArray(value) || Object.keys(value).length > mostFields) throw new TunnelProtocolError("malformed headers");
  const fields: HeaderFields = {};
  for (const [name, content] of Object.entries(value)) {
    const values: unknown[] = [content].flat();
    if (!token.test(name) || !values.every((one) => typeof one === "string" && inValue.test(one))) throw new TunnelProtocolError("malformed header field");
    Object.defineProperty(fields, nameOf(name), { value: content as string | string[], enumerable: true, writable: true, configurable: true });
  }
  return fields;
}
