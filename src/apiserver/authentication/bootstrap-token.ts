import { timingSafeEqual } from "node:crypto";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Secret } from "../../apis/generated/core/v1.ts";
import type { TokenAuthenticator } from "./authenticator.ts";

/**
 * `<id>.<secret>` tokens for joining nodes, kept as Secrets `kube-system/bootstrap-token-<id>`.
 * Source: k8s.io/kubernetes/plugin/pkg/auth/authenticator/token/bootstrap.
 */
export function bootstrapTokenAuthenticator({ getSecret, now }: {
  /** By `namespace/name`. */
  getSecret(key: string): Frozen<Secret> | undefined;
  now(): number;
}): TokenAuthenticator {
  return {
    authenticateToken(token) {
      const match = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(token);
      if (!match) return undefined;
      const [, id, secret] = match;
      const found = getSecret(`kube-system/bootstrap-token-${id}`);
      if (!found || found.type !== "bootstrap.kubernetes.io/token" || found.metadata.deletionTimestamp) return undefined;
      const field = (name: string): string => Buffer.from(found.data?.[name] ?? "", "base64").toString();
      const expiration = field("expiration");
      const good = field("token-id") === id && isEqual(field("token-secret"), secret!) && field("usage-bootstrap-authentication") === "true" && (!expiration || Date.parse(expiration) > now());
      if (!good) return undefined;
      const extra = field("auth-extra-groups").split(",").map((group) => group.trim()).filter((group) => group.startsWith("system:bootstrappers:"));
      return { user: { name: `system:bootstrap:${id}`, groups: ["system:bootstrappers", ...extra] }, audiences: [] };
    },
  };
}

function isEqual(a: string, b: string): boolean {
  const left = Buffer.from(a), right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
