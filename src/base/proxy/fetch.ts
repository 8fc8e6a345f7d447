import type { HeaderFields, HttpStream } from "../http.ts";
import { authority, pathOf, type ProxyTarget } from "./target.ts";

/** Repeats a request towards the target; follows no redirect, checks no certificate, takes nothing apart. Rejects as fetch does. */
export function fetchFrom(target: ProxyTarget, { method, headers, body, signal }: { method: string; headers: Readonly<Record<string, string>>; body: Uint8Array; signal: AbortSignal }): Promise<Response> {
  return fetch(`${target.scheme}://${authority(target)}${pathOf(target)}`, {
    method, headers, redirect: "manual", signal, decompress: false, tls: { rejectUnauthorized: false }, ...(body.length > 0 ? { body } : {}),
  } as BunFetchRequestInit);
}

/** Fields of one hop (RFC 9110 section 7.6.1), and those that whoever answers sets itself. */
const ofOneHop = new Set(["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "content-length", "date"]);

export const isOfOneHop = (name: string): boolean => ofOneHop.has(name);

export function answerFields({ headers }: Response): HeaderFields {
  const fields: HeaderFields = {};
  for (const [name, value] of headers) if (!isOfOneHop(name) && name !== "set-cookie") fields[name] = value;
  const cookies = headers.getSetCookie();
  return cookies.length > 0 ? { ...fields, "set-cookie": cookies } : fields;
}

/** Passes a body on as fast as it is read; where it breaks off, so does the stream. */
export async function passOn(body: ReadableStream<Uint8Array>, stream: HttpStream): Promise<void> {
  try {
    for await (const chunk of body) if (!stream.write(chunk)) await stream.drained();
    stream.end();
  } catch {
    stream.abort();
  }
}
