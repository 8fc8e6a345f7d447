import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { startIssuer, type OidcIssuer } from "../../../test/support/oidc-issuer.ts";
import { userOfClaims, type ClaimNames } from "./oidc-claims.ts";
import { oidcAuthenticator, type OidcOptions } from "./oidc.ts";

let issuer: OidcIssuer;
let now = 0;

beforeEach(async () => {
  issuer = await startIssuer();
  now = Date.now();
});
afterEach(() => issuer.stop());

const authenticator = (options: Partial<OidcOptions & ClaimNames> = {}) => oidcAuthenticator({
  issuerUrl: issuer.url, audiences: ["skiff"], userOf: (claims) => userOfClaims(claims, { usernameClaim: "sub", usernamePrefix: `${issuer.url}#`, groupsPrefix: "", requiredClaims: {}, ...options }), ca: issuer.ca, signingAlgorithms: ["RS256"], now: () => now, ...options,
});
const seconds = (offset: number): number => Math.floor(now / 1000) + offset;

const sign = (claims: Record<string, unknown> = {}, kid = "one"): Promise<string> => issuer.sign({ exp: seconds(3600), ...claims }, kid);
const userOf = async (token: string, options: Partial<OidcOptions & ClaimNames> = {}) => (await authenticator(options).authenticateToken(token))?.user;

describe("an ID token", () => {
  test("says who asks", async () => {
    expect(await userOf(await sign({ jti: "7" }))).toEqual({ name: `${issuer.url}#jane`, groups: [], extra: { "authentication.kubernetes.io/credential-id": ["JTI=7"] } });
    const options = { usernameClaim: "email", usernamePrefix: "", groupsClaim: "roles", groupsPrefix: "oidc:", uidClaim: "sub" };
    expect(await userOf(await sign({ email: "jane@example.com", email_verified: true, roles: ["dev", "ops"] }), options)).toEqual({ name: "jane@example.com", uid: "jane", groups: ["oidc:dev", "oidc:ops"] });
    expect((await userOf(await sign({ email: "jane@example.com", roles: "dev" }), options))?.groups).toEqual(["oidc:dev"]);
  });

  test.each([
    ["for somebody else", { aud: "other" }, {}],
    ["that has ended, be it by seconds", { exp: -1 }, {}],
    ["that begins in ten minutes", { nbf: 600 }, {}],
    ["without an end", { exp: undefined }, {}],
    ["without the name's claim", {}, { usernameClaim: "login" }],
    ["with an address that is not verified", { email: "x@example.com", email_verified: false }, { usernameClaim: "email" }],
    ["without a claim that is required", { tenant: "b" }, { requiredClaims: { tenant: "a" } }],
    ["with groups that are no names", { groups: [1] }, { groupsClaim: "groups" }],
    ["of an algorithm that is not allowed", {}, { signingAlgorithms: ["ES256"] }],
  ] as const)("%s is refused", async (_, claims, options) => {
    const times = Object.fromEntries(Object.entries(claims).map(([key, value]) => [key, (key === "exp" || key === "nbf") && typeof value === "number" ? seconds(value) : value]));
    await expect(userOf(await sign(times), options)).rejects.toThrow("Unauthorized");
  });

  test("may be a little early, for clocks differ", async () => {
    expect(await userOf(await sign({ nbf: seconds(120) }))).toBeDefined();
  });

  test("of another issuer, or that is no JWT, is left to others", async () => {
    expect(await userOf(await sign({ iss: "https://other.example" }))).toBeUndefined();
    expect(await userOf("abc.def")).toBeUndefined();
    expect(issuer.asked).toEqual([]);
  });

  test("of which a letter was changed is refused", async () => {
    const [header, payload, signature] = (await sign()).split(".");
    const forged = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(payload!, "base64url").toString()), sub: "root" })).toString("base64url");
    await expect(userOf(`${header}.${forged}.${signature}`)).rejects.toThrow("Unauthorized");
  });
});

test("keys are read once, and again when a token is signed by a new one", async () => {
  const { authenticateToken } = authenticator();
  for (let i = 0; i < 3; i++) await authenticateToken(await sign({ jti: String(i) }));
  expect(issuer.asked).toEqual(["/tenant/.well-known/openid-configuration", "/tenant/keys"]);
  await issuer.addKey("two");
  // Not within the cool-down: a flood of bad tokens does not become a flood of requests.
  await expect(authenticateToken(await sign({}, "two"))).rejects.toThrow("Unauthorized");
  expect(issuer.asked).toHaveLength(2);
  const eager = authenticator({ keySetCooldown: 0 });
  await eager.authenticateToken(await sign());
  await issuer.addKey("three");
  expect(await eager.authenticateToken(await sign({}, "three"))).toBeDefined();
});

test("what was found out about a token is remembered for ten seconds, not beyond its end", async () => {
  const { authenticateToken } = authenticator();
  const token = await sign({ exp: seconds(8) });
  expect(await authenticateToken(token)).toBeDefined();
  now += 9000;
  await expect(Promise.resolve(authenticateToken(token))).rejects.toThrow("Unauthorized");
});

test("an issuer that could not be reached is asked again later", async () => {
  const { authenticateToken } = authenticator();
  issuer.broken = true;
  await expect(Promise.resolve(authenticateToken(await sign()))).rejects.toThrow("Unauthorized");
  issuer.broken = false;
  await expect(Promise.resolve(authenticateToken(await sign()))).rejects.toThrow("Unauthorized");
  now += 10_000;
  expect(await authenticateToken(await sign())).toBeDefined();
  expect(issuer.asked.filter((path) => path.includes("well-known"))).toHaveLength(2);
});

test("an issuer with a certificate of an unknown CA is not believed", async () => {
  const other = await startIssuer();
  await expect(userOf(await sign(), { ca: other.ca })).rejects.toThrow("Unauthorized");
  await other.stop();
});
