import type { Frozen } from "../../apimachinery/meta.ts";
import type { Secret } from "../../apis/generated/core/v1.ts";
import { joinerGroup } from "./join-credentials.ts";

/** A bootstrap token as an administrator sees it. https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/ */
export interface BootstrapToken {
  id: string;
  secret: string;
  description: string;
  /** Milliseconds since the epoch; undefined when it never ends. */
  expires?: number;
  usages: string[];
  groups: string[];
}

export const bootstrapTokenKey = (id: string): { namespace: string; name: string } => ({ namespace: "kube-system", name: `bootstrap-token-${id}` });

/** A new token that joins nodes, and signs kube-public/cluster-info as Kubernetes' own do. */
export function newBootstrapToken({ description, expires }: { description: string; expires?: number }): BootstrapToken {
  return { id: randomText(6), secret: randomText(16), description, ...(expires === undefined ? {} : { expires }), usages: ["authentication", "signing"], groups: [joinerGroup] };
}

export function secretOfToken({ id, secret, description, expires, usages, groups }: BootstrapToken): Secret {
  const fields: Record<string, string> = {
    "token-id": id, "token-secret": secret, "auth-extra-groups": groups.join(","), ...(description ? { description } : {}),
    ...(expires === undefined ? {} : { expiration: new Date(expires).toISOString().replace(/\.\d+/, "") }), ...Object.fromEntries(usages.map((usage) => [`usage-bootstrap-${usage}`, "true"])),
  };
  const data = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, Buffer.from(value).toString("base64")]));
  return { metadata: bootstrapTokenKey(id), type: "bootstrap.kubernetes.io/token", data };
}

/** Undefined for Secrets that are no bootstrap tokens. */
export function tokenOfSecret({ metadata, type, data = {} }: Frozen<Secret>): BootstrapToken | undefined {
  const field = (name: string): string => Buffer.from(data[name] ?? "", "base64").toString();
  const id = field("token-id");
  if (type !== "bootstrap.kubernetes.io/token" || metadata.name !== `bootstrap-token-${id}`) return undefined;
  const end = field("expiration");
  return {
    id, secret: field("token-secret"), description: field("description"), ...(end ? { expires: Date.parse(end) || 0 } : {}),
    usages: ["authentication", "signing"].filter((usage) => field(`usage-bootstrap-${usage}`) === "true"), groups: field("auth-extra-groups").split(",").filter(Boolean),
  };
}

const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";

function randomText(length: number): string {
  let text = "";
  while (text.length < length) {
    const [byte] = crypto.getRandomValues(new Uint8Array(1));
    // Above that, some letters would be likelier than others.
    if (byte! < 252) text += alphabet[byte! % alphabet.length];
  }
  return text;
}
