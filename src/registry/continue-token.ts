import { isObject } from "../apimachinery/own.ts";
import { badRequest } from "../apimachinery/status.ts";

/** Where the next page of a list begins. Source: k8s.io/apiserver/pkg/storage/continue.go. */
export interface ContinueToken {
  /** The revision all pages are read at; -1 goes on with whatever is current. */
  revision: number;
  /** The last key already returned, relative to the list's prefix. */
  after: string;
}

export function encodeContinue({ revision, after }: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: "meta.k8s.io/v1", rv: revision, start: `${after}\0` })).toString("base64url");
}

export function decodeContinue(text: string): ContinueToken {
  const { v, rv, start } = parse(text);
  if (v !== "meta.k8s.io/v1") throw refusal(`server does not recognize this encoded version ${typeof v === "string" ? v : ""}`);
  if (!Number.isSafeInteger(rv) || rv === 0) throw refusal("incorrect encoded start resourceVersion (version meta.k8s.io/v1)");
  if (typeof start !== "string" || start === "") throw refusal("encoded start key empty (version meta.k8s.io/v1)");
  if (!start.endsWith("\0") || start.startsWith("/") || start.split("/").some((part) => part.replace("\0", "") === "..")) throw refusal(start);
  return { revision: rv as number, after: start.slice(0, -1) };
}

const refusal = (reason: string): Error => badRequest(`invalid continue token: continue key is not valid: ${reason}`);

function parse(text: string): Record<string, unknown> {
  const fault = text.search(/[^A-Za-z0-9_-]/);
  if (fault >= 0 || text.length % 4 === 1) throw refusal(`illegal base64 data at input byte ${fault < 0 ? text.length : fault}`);
  const json = Buffer.from(text, "base64url").toString();
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw refusal(json === "" ? "unexpected end of JSON input" : `invalid character ${JSON.stringify(json[0]).replace(/^"|"$/g, "'")} looking for beginning of value`);
  }
  return isObject(value) ? value : {};
}
