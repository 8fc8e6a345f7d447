import { createHash, timingSafeEqual } from "node:crypto";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Secret } from "../../apis/generated/core/v1.ts";
import { bootstrapTokenParts } from "../../base/join/join-token.ts";

/** The group that a bootstrap token must bring to join an agent; tokens made for something else don't. */
export const joinerGroup = "system:bootstrappers:skiff:default-node-token";

/** Why a token joins nobody, in a sentence; undefined when it does. */
export function tokenProblem(token: string | undefined, { secrets, bootstrapToken, now }: {
  /** The cluster's own. */
  secrets: readonly string[];
  /** The Secret `bootstrap-token-<id>` of kube-system. */
  bootstrapToken(id: string): Frozen<Secret> | undefined;
  now: number;
}): string | undefined {
  if (!token) return 'a token is needed: take it from "skiff token" on a server, and give it as --token or SKIFF_TOKEN';
  const parts = bootstrapTokenParts(token);
  if (!parts) return secrets.some((secret) => same(secret, token)) ? undefined : 'the token is not that of this cluster: take it from "skiff token" on a server; it may have been rotated';
  const unknown = `the bootstrap token ${parts.id} is not known: it has expired, was deleted, or is misspelt; "skiff token create" on a server makes another`;
  const found = bootstrapToken(parts.id);
  const field = (name: string): string => Buffer.from(found?.data?.[name] ?? "", "base64").toString();
  if (!found || found.type !== "bootstrap.kubernetes.io/token" || found.metadata.deletionTimestamp || field("token-id") !== parts.id || !same(field("token-secret"), parts.secret)) return unknown;
  const end = field("expiration");
  if (end && !(Date.parse(end) > now)) return `the bootstrap token ${parts.id} expired at ${end}: "skiff token create" on a server makes another`;
  const groups = field("auth-extra-groups").split(",").map((group) => group.trim());
  if (field("usage-bootstrap-authentication") !== "true" || !groups.includes(joinerGroup)) return `the bootstrap token ${parts.id} was not made for joining nodes: "skiff token create" on a server makes one that is`;
  return undefined;
}

function same(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
