import type { Secret } from "../apis/generated/core/v1.ts";
import type { TokenAuthenticator } from "../apiserver/authentication/authenticator.ts";
import { bootstrapTokenAuthenticator } from "../apiserver/authentication/bootstrap-token.ts";
import { userOfClaims } from "../apiserver/authentication/oidc-claims.ts";
import { oidcAuthenticator } from "../apiserver/authentication/oidc.ts";
import { staticTokenAuthenticator } from "../apiserver/authentication/static-token.ts";
import { parseTokenFile } from "../apiserver/authentication/token-file.ts";
import type { Lister } from "../client/informer.ts";
import type { IdentityOptions } from "./identity-options.ts";
import { UsageError } from "./settings.ts";

/** Every kind of bearer token that is good here, in the order in which they are asked, as kube-apiserver has it. */
export function tokenAuthenticators({ options, serviceAccounts, secrets, now }: {
  options: Pick<IdentityOptions, "oidc" | "jwt" | "tokenFile">;
  serviceAccounts: readonly TokenAuthenticator[];
  secrets: Lister<Secret>;
  now(): number;
}): readonly TokenAuthenticator[] {
  const { oidc, jwt = [], tokenFile } = options;
  return [
    ...(tokenFile === undefined ? [] : [fileTokens(tokenFile)]),
    ...serviceAccounts,
    bootstrapTokenAuthenticator({ getSecret: (key) => secrets.get(key), now }),
    ...(oidc ? [oidcAuthenticator({ ...oidc, userOf: (claims) => userOfClaims(claims, oidc), now })] : []),
    ...jwt.map((settings) => oidcAuthenticator({ ...settings, now })),
  ];
}

function fileTokens(text: string): TokenAuthenticator {
  try {
    const users = parseTokenFile(text);
    return staticTokenAuthenticator({ userOf: (hash) => users.get(hash) });
  } catch (error) {
    throw new UsageError(`--token-auth-file: ${(error as Error).message}`, { cause: error });
  }
}
