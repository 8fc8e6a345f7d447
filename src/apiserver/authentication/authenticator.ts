import type { HttpRequest } from "../../base/http.ts";
import type { UserInfo } from "../../registry/attributes.ts";

/**
 * One way to learn who asks. Undefined when the request carries no credentials of this kind (the next in the list is asked);
 * throws a 401 StatusError for credentials of this kind that are not good.
 */
export interface Authenticator {
  authenticate(request: HttpRequest, path: string): UserInfo | undefined | Promise<UserInfo | undefined>;
}

/** Checks a bearer token; undefined when it is none of this kind's. */
export interface TokenAuthenticator {
  authenticateToken(token: string, audiences?: readonly string[]): TokenUser | undefined | Promise<TokenUser | undefined>;
}

export interface TokenUser {
  user: UserInfo;
  /** Those of the token that were asked for. */
  audiences: readonly string[];
}

export const allAuthenticated = "system:authenticated";
export const allUnauthenticated = "system:unauthenticated";

export const withGroup = (user: UserInfo, group: string): UserInfo => (user.groups.includes(group) ? user : { ...user, groups: [...user.groups, group] });

const members = new WeakMap<UserInfo, UserInfo>();

/** A user who is known to the authenticators; the same for the same, so that what is found out about users can be remembered. */
export function authenticated(user: UserInfo): UserInfo {
  let member = members.get(user);
  if (!member) members.set(user, member = user.groups.includes(allUnauthenticated) ? user : withGroup(user, allAuthenticated));
  return member;
}
