import type { JWTPayload } from "jose";
import { unauthorized } from "../../apimachinery/status.ts";
import type { UserInfo } from "../../registry/attributes.ts";

/** Which claims name a user. */
export interface ClaimNames {
  usernameClaim: string;
  usernamePrefix: string;
  groupsClaim?: string;
  groupsPrefix: string;
  uidClaim?: string;
  /** Claims that must be there with just this text. */
  requiredClaims: Readonly<Record<string, string>>;
}

/** Takes the user from claims by their names. Throws 401 for claims that don't name one, as all of these do. */
export function userOfClaims(claims: JWTPayload, { usernameClaim, usernamePrefix, groupsClaim, groupsPrefix, uidClaim, requiredClaims }: ClaimNames): UserInfo {
  requireClaims(claims, requiredClaims);
  const uid = uidOf(claims, uidClaim);
  return { name: usernamePrefix + nameOf(claims, usernameClaim), groups: groupsOf(claims, groupsClaim).map((group) => groupsPrefix + group), ...(uid ? { uid } : {}), ...credentialOf(claims) };
}

export function requireClaims(claims: JWTPayload, wanted: Readonly<Record<string, string>>): void {
  for (const [claim, text] of Object.entries(wanted)) if (claims[claim] !== text) throw unauthorized();
}

export function nameOf(claims: JWTPayload, claim: string): string {
  const name = claims[claim];
  if (typeof name !== "string" || name === "") throw unauthorized();
  // An address that nobody has checked may be anybody's.
  if (claim === "email" && claims["email_verified"] !== undefined && claims["email_verified"] !== true) throw unauthorized();
  return name;
}

export function uidOf(claims: JWTPayload, claim: string | undefined): string | undefined {
  const uid = claim === undefined ? undefined : claims[claim];
  if (uid !== undefined && typeof uid !== "string") throw unauthorized();
  return uid;
}

/** One name or a list of them. */
export function groupsOf(claims: JWTPayload, claim: string | undefined): readonly string[] {
  const value = claim === undefined ? undefined : claims[claim];
  if (value === undefined || value === null) return [];
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (!list.every((group) => typeof group === "string")) throw unauthorized();
  return list;
}

/** By what audit tells one token of a user from another. */
export const credentialOf = ({ jti }: JWTPayload): Pick<UserInfo, "extra"> => (jti ? { extra: { "authentication.kubernetes.io/credential-id": [`JTI=${jti}`] } } : {});
