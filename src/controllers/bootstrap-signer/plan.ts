import { createHmac } from "node:crypto";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Secret } from "../../apis/generated/core/v1.ts";

const prefix = "jws-kubeconfig-";

interface Token {
  id: string;
  secret: string;
  /** Milliseconds since the epoch; absent for one without an end. */
  expires?: number;
}

/** The token a Secret holds, if it is one that cluster-info is to be signed with. */
export function bootstrapToken({ metadata, type, data }: Frozen<Secret>): Token | undefined {
  if (type !== "bootstrap.kubernetes.io/token" || metadata.namespace !== "kube-system") return undefined;
  const field = (name: string): string => Buffer.from(data?.[name] ?? "", "base64").toString();
  const id = field("token-id"), secret = field("token-secret"), expiration = field("expiration");
  if (id === "" || secret === "" || metadata.name !== `bootstrap-token-${id}` || field("usage-bootstrap-signing") !== "true") return undefined;
  return { id, secret, ...(expiration ? { expires: Date.parse(expiration) || 0 } : {}) };
}

/** What cluster-info is to hold: what it has, with one signature for each token that has not ended. */
export function signatures(data: Readonly<Record<string, string>>, secrets: readonly Frozen<Secret>[], now: number): Record<string, string> {
  const kept = Object.entries(data).filter(([name]) => !name.startsWith(prefix));
  const tokens = secrets.flatMap((secret) => bootstrapToken(secret) ?? []).filter(({ expires = Infinity }) => expires > now);
  return Object.fromEntries([...kept, ...tokens.map(({ id, secret }): [string, string] => [`${prefix}${id}`, detachedSignature(data["kubeconfig"]!, id, secret)])]);
}

/** A JSON Web Signature without its content (RFC 7515 appendix F). Clients compare the text, so the header's fields have their order. */
function detachedSignature(content: string, id: string, secret: string): string {
  const header = Buffer.from(JSON.stringify({ alg: "HS256", kid: id })).toString("base64url");
  return `${header}..${createHmac("sha256", secret).update(`${header}.${Buffer.from(content).toString("base64url")}`).digest("base64url")}`;
}
