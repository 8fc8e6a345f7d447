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
  const token = parse(text);
  if (token?.v !== "meta.k8s.io/v1") throw badRequest("continue key is not valid: server does not recognize this encoded version");
  const { rv, start } = token;
  if (!Number.isSafeInteger(rv) || rv === 0) throw badRequest("continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)");
  if (typeof start !== "string" || start === "" || !start.endsWith("\0")) throw badRequest("continue key is not valid: encoded start key empty (version meta.k8s.io/v1)");
  if (start.startsWith("/") || start.split("/").includes("..")) throw badRequest(`continue key is not valid: ${start.slice(0, -1)}`);
  return { revision: rv as number, after: start.slice(0, -1) };
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString());
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    throw badRequest("continue key is not valid: illegal base64 or JSON");
  }
}
