import { createHash } from "node:crypto";
import type { UserInfo } from "../../registry/attributes.ts";
import type { TokenAuthenticator } from "./authenticator.ts";

/** SHA-256 in hex, as tokens are kept: a reader of the list learns no token. */
export const tokenHash = (token: string): string => createHash("sha256").update(token).digest("hex");

/** Tokens from configuration. `userOf` looks a hash up; it may answer differently after a reload. */
export function staticTokenAuthenticator({ userOf }: { userOf(hash: string): UserInfo | undefined }): TokenAuthenticator {
  return {
    authenticateToken(token) {
      const user = userOf(tokenHash(token));
      return user ? { user, audiences: [] } : undefined;
    },
  };
}
