import type { StatusError } from "../../apimachinery/status.ts";
import type { FrontLimits } from "./front.ts";
import { bodyTooLarge, refusal } from "./refusal.ts";

/** The request line and header fields, checked against RFC 9112 and stricter where intermediaries are known to disagree. */
export interface RequestHead {
  method: string;
  url: string;
  /** Lower-case names, no prototype; repeated fields joined by ", ". */
  headers: Record<string, string>;
  /** The values of repeated fields one by one; absent without any. */
  repeated?: Record<string, string[]>;
  http11: boolean;
  keepAlive: boolean;
  /** Length of the body, or `chunked`. */
  bodyLength: number;
  expectContinue: boolean;
}

/** `RequestHead.bodyLength` of a chunked body. */
export const chunked = -1;

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Origin form only: absolute, authority and asterisk form are for proxies and CONNECT. */
const originForm = /^\/[\x21-\x7e]*$/;
const notInValue = /[^\t\x20-\x7e\x80-\xff]/;
const hostname = /^[A-Za-z0-9.\-_:[\]%]*$/;
const decimal = /^\d{1,15}$/;

/** What ends a header section. */
export const headEnd = Buffer.from("\r\n\r\n");
/** From `findHeadEnd`: more bytes are needed. */
export const incomplete = -1;

/**
 * Where the header section that begins at `at` ends. `searched`: how far `bytes` is known to hold no end, so that a client that sends
 * single bytes makes us search none twice. An incomplete section is refused as soon as it can't become a good one.
 */
export function findHeadEnd(bytes: Buffer, at: number, searched: number, { headerBytes, requestLineBytes }: FrontLimits): number | StatusError {
  const end = bytes.indexOf(headEnd, Math.max(at, searched - headEnd.length));
  if (end >= 0 && end - at <= headerBytes) return end;
  const length = bytes.length - at;
  if (length > requestLineBytes && bytes.subarray(at, at + requestLineBytes + 2).indexOf(10) < 0) return refusal(414, "the request line is too long");
  if (length > headerBytes) return refusal(431, "the request header is too large");
  if (hasBareLineFeed(bytes, Math.max(at, searched - 1))) return refusal(400, "bare line feed in the request header");
  return incomplete;
}

function hasBareLineFeed(bytes: Buffer, from: number): boolean {
  for (let at = bytes.indexOf(10, from); at >= 0; at = bytes.indexOf(10, at + 1)) {
    if (at === 0 || bytes[at - 1] !== 13) return true;
  }
  return false;
}

/**
 * Parses what stands before the empty line. `text` is the header section decoded as latin1, without its final CRLF CRLF.
 * Returns a `StatusError` for whatever must not be served; the connection has to be closed then, since its framing can't be trusted.
 */
export function parseRequestHead(text: string, limits: FrontLimits): RequestHead | StatusError {
  let lineEnd = text.indexOf("\r\n");
  const line = lineEnd < 0 ? text : text.slice(0, lineEnd);
  if (line.length > limits.requestLineBytes) return refusal(414, "the request line is too long");
  const methodEnd = line.indexOf(" ");
  const urlEnd = line.indexOf(" ", methodEnd + 1);
  if (methodEnd < 1 || urlEnd < 0) return refusal(400, "malformed request line");
  const method = line.slice(0, methodEnd);
  const url = line.slice(methodEnd + 1, urlEnd);
  const version = line.slice(urlEnd + 1);
  if (version !== "HTTP/1.1" && version !== "HTTP/1.0") {
    return /^HTTP\/\d\.\d$/.test(version) ? refusal(505, `${version} is not supported`) : refusal(400, "malformed request line");
  }
  if (!token.test(method)) return refusal(400, "malformed method");
  if (!originForm.test(url)) return refusal(400, "malformed request target");

  const headers: Record<string, string> = Object.create(null);
  let repeated: Record<string, string[]> | undefined;
  for (let count = 1; lineEnd >= 0; count++) {
    if (count > limits.headerCount) return refusal(431, "too many header fields");
    const start = lineEnd + 2;
    lineEnd = text.indexOf("\r\n", start);
    const end = lineEnd < 0 ? text.length : lineEnd;
    const colon = text.indexOf(":", start);
    if (colon < 0 || colon >= end) return refusal(400, "malformed header field");
    const name = fieldName(text.slice(start, colon));
    if (name === undefined) return refusal(400, "malformed header field name");
    const value = trimmed(text, colon + 1, end);
    if (notInValue.test(value)) return refusal(400, "invalid character in a header field");
    const before = headers[name];
    if (before === undefined) headers[name] = value;
    else if (name === "host" || name === "content-length" || name === "transfer-encoding") return refusal(400, `repeated ${name} field`);
    else {
      headers[name] = before + (name === "cookie" ? "; " : ", ") + value;
      ((repeated ??= Object.create(null) as Record<string, string[]>)[name] ??= [before]).push(value);
    }
  }
  return framed({ method, url, headers, repeated, http11: version === "HTTP/1.1", keepAlive: true, bodyLength: 0, expectContinue: false }, limits);
}

/** Decides where the request ends and whether another may follow (RFC 9112 sections 3.2, 6.3 and 9.3). */
function framed(head: RequestHead, limits: FrontLimits): RequestHead | StatusError {
  const { headers, http11 } = head;
  const host = headers["host"];
  if (http11 && host === undefined) return refusal(400, "missing host field");
  if (host !== undefined && !hostname.test(host)) return refusal(400, "malformed host field");
  const coding = headers["transfer-encoding"];
  const length = headers["content-length"];
  if (coding !== undefined) {
    if (length !== undefined) return refusal(400, "both content-length and transfer-encoding");
    if (!http11) return refusal(400, "transfer-encoding in an HTTP/1.0 request");
    if (coding.toLowerCase() !== "chunked") return refusal(501, "only the chunked transfer coding is supported");
    head.bodyLength = chunked;
  } else if (length !== undefined) {
    if (!decimal.test(length)) return refusal(400, "malformed content-length");
    head.bodyLength = Number(length);
    if (head.bodyLength > limits.bodyBytes) return bodyTooLarge(limits.bodyBytes);
  }
  const connection = headers["connection"]?.toLowerCase();
  head.keepAlive = http11 ? connection === undefined || !lists(connection, "close") : connection !== undefined && lists(connection, "keep-alive");
  const expect = headers["expect"];
  if (expect !== undefined && http11) {
    if (expect.toLowerCase() !== "100-continue") return refusal(417, "unknown expectation");
    head.expectContinue = head.bodyLength !== 0;
  }
  return head;
}

/** True when the comma-separated `field`, in lower case, has the member `word`. */
export function lists(field: string, word: string): boolean {
  return field === word || field.split(",").some((member) => member.trim() === word);
}

const known = new Map<string, string>();
const mostKnown = 512;

/** The lower-case form of a valid field name: one shared string for each spelling seen, up to a bound. */
function fieldName(raw: string): string | undefined {
  const cached = known.get(raw);
  if (cached !== undefined) return cached;
  if (!token.test(raw)) return undefined;
  const name = raw.toLowerCase();
  if (known.size < mostKnown && raw.length <= 64) known.set(Buffer.from(raw).toString(), name); // a copy: a slice would hold on to the whole header
  return name;
}

/** Without the optional white space around it: spaces and tabs only. */
function trimmed(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

const isBlank = (code: number): boolean => code === 32 || code === 9;
