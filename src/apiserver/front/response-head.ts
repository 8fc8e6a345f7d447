import { STATUS_CODES } from "node:http";
import type { HeaderFields } from "../../base/http.ts";

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const notInValue = /[^\t\x20-\x7e\x80-\uffff]/;
/** The front frames messages itself; a handler that sets these would make a response that can be misread. */
const ours = new Set(["content-length", "transfer-encoding", "date"]);

/** Throws a `TypeError` for a status or field that would break the message, or that the front sets itself. */
export function checkResponseHead(status: number, headers: HeaderFields): void {
  if (!Number.isInteger(status) || status < 100 || status > 599) throw new TypeError(`invalid status code ${status}`);
  for (const name in headers) {
    if (!checkedNames.has(name)) checkName(name);
    const value = headers[name]!;
    if (typeof value === "string" ? notInValue.test(value) : value.some((one) => notInValue.test(one))) {
      throw new TypeError(`invalid character in the header field ${name}`);
    }
  }
}

/** Names that passed. */
const checkedNames = new Set<string>();
const mostChecked = 256;

function checkName(name: string): void {
  if (!token.test(name)) throw new TypeError(`invalid header field name ${JSON.stringify(name)}`);
  if (ours.has(name.toLowerCase())) throw new TypeError(`the front sets the header field ${name}`);
  if (checkedNames.size < mostChecked) checkedNames.add(name);
}

/** Status line and fields; `framing` holds whole lines that say how the message ends. */
export function renderResponseHead(status: number, headers: HeaderFields, framing: string): string {
  checkResponseHead(status, headers);
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Unknown"}\r\nDate: ${httpDate()}\r\n${framing}`;
  for (const name in headers) {
    const value = headers[name]!;
    if (typeof value === "string") head += `${name}: ${value}\r\n`;
    else for (const one of value) head += `${name}: ${one}\r\n`;
  }
  return head + "\r\n";
}

/** True for responses that have no body and no Content-Length (RFC 9110 section 6.4.1). */
export const isBodiless = (status: number): boolean => status === 204 || status === 304 || status < 200;

let dateSecond = 0;
let dateText = "";

function httpDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}
