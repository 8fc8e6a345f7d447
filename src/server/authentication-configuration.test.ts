import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startIssuer, type OidcIssuer } from "../../test/support/oidc-issuer.ts";
import { oidcAuthenticator } from "../apiserver/authentication/oidc.ts";
import { readAuthenticationConfiguration, type AuthenticationConfiguration } from "./authentication-configuration.ts";
import { parseIdentityOptions } from "./identity-options.ts";

let issuer: OidcIssuer;
const directories: string[] = [];
beforeAll(async () => {
  issuer = await startIssuer();
});
afterEach(() => directories.splice(0).forEach((each) => rmSync(each, { recursive: true })));
afterAll(() => issuer.stop());

function file(content: object | string): string {
  const directory = mkdtempSync(join(tmpdir(), "skiff-authentication-"));
  directories.push(directory);
  const path = join(directory, "authentication.yaml");
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify({ apiVersion: "apiserver.config.k8s.io/v1", kind: "AuthenticationConfiguration", ...content }));
  return path;
}
const read = (content: object | string): AuthenticationConfiguration => readAuthenticationConfiguration(file(content), { algorithms: ["RS256"], serviceAccountIssuers: ["https://own.example"] });
const issuerOf = (rest: object = {}) => ({ url: issuer.url, certificateAuthority: issuer.ca, audiences: ["skiff"], ...rest });
const byName = { username: { claim: "sub", prefix: "" } };

async function userOf(authenticator: object, claims: Record<string, unknown> = {}) {
  const { jwt } = read({ jwt: [{ issuer: issuerOf(), ...authenticator }] });
  return (await oidcAuthenticator({ ...jwt[0]!, now: Date.now }).authenticateToken(await issuer.sign(claims)))?.user;
}

describe("a token", () => {
  test("names its user by claims", async () => {
    const claimMappings = { username: { claim: "sub", prefix: "id:" }, groups: { claim: "roles", prefix: "g:" }, uid: { claim: "sub" } };
    expect(await userOf({ claimMappings }, { roles: ["a", "b"], jti: "1" })).toEqual({ name: "id:jane", groups: ["g:a", "g:b"], uid: "jane", extra: { "authentication.kubernetes.io/credential-id": ["JTI=1"] } });
  });

  test("names its user by expressions, without touching what claims name", async () => {
    const claimMappings = {
      username: { expression: "claims.sub + '@' + claims.tenant" }, groups: { expression: "claims.roles.filter(r, r.startsWith('dev-'))" }, uid: { claim: "sub" },
      extra: [{ key: "example.com/tenant", valueExpression: "claims.tenant" }, { key: "example.com/none", valueExpression: "''" }],
    };
    expect(await userOf({ claimMappings }, { tenant: "t", roles: ["dev-a", "ops"] })).toEqual({ name: "jane@t", groups: ["dev-a"], uid: "jane", extra: { "example.com/tenant": ["t"] } });
  });

  test.each([
    ["a claim that must have a value", { claimValidationRules: [{ claim: "tenant", requiredValue: "t" }] }, { tenant: "t" }, { tenant: "u" }],
    ["a rule on claims", { claimValidationRules: [{ expression: "claims.exp - claims.iat <= 4000", message: "too long" }] }, { iat: Math.floor(Date.now() / 1000) }, { iat: 0 }],
    ["a rule on the user", { userValidationRules: [{ expression: "!user.username.startsWith('system:')" }] }, {}, { sub: "system:admin" }],
    ["a rule on groups", { claimMappings: { ...byName, groups: { claim: "roles", prefix: "" } }, userValidationRules: [{ expression: "user.groups.all(g, g != 'system:masters')" }] }, { roles: ["a"] }, { roles: ["a", "system:masters"] }],
    ["an expression that fails", { claimMappings: { username: { expression: "claims.login" } } }, { login: "jane" }, {}],
    ["an expression that gives no text", { claimMappings: { username: { expression: "claims.login" } } }, { login: "jane" }, { login: 7 }],
    ["no name at all", { claimMappings: { username: { expression: "claims.login" } } }, { login: "jane" }, { login: "" }],
  ])("is held to %s", async (_, rest, good, bad) => {
    expect((await userOf({ claimMappings: byName, ...rest }, good))?.name).toBe("jane");
    await expect(userOf({ claimMappings: byName, ...rest }, bad)).rejects.toThrow("Unauthorized");
  });

  test("may be for any of several audiences", async () => {
    const several = { issuer: { ...issuerOf(), audiences: ["other", "skiff"], audienceMatchPolicy: "MatchAny" }, claimMappings: byName };
    expect((await userOf(several))?.name).toBe("jane");
  });
});

describe("a mistake is told with its place", () => {
  const jwt = (authenticator: object) => ({ jwt: [{ issuer: { url: "https://id.example", audiences: ["a"] }, claimMappings: byName, ...authenticator }] });
  test.each<[string, object | string, string]>([
    ["kind", "kind: Other", 'must have apiVersion "apiserver.config.k8s.io/v1" and kind "AuthenticationConfiguration"'],
    ["YAML", "a: [", "can't be used"],
    ["scheme", jwt({ issuer: { url: "http://id.example", audiences: ["a"] } }), 'jwt[0].issuer.url: Invalid value: "http://id.example": URL scheme must be https'],
    ["our own issuer", jwt({ issuer: { url: "https://own.example", audiences: ["a"] } }), "URL must not overlap with disallowed issuers: [https://own.example]"],
    ["no audience", jwt({ issuer: { url: "https://id.example" } }), "jwt[0].issuer.audiences: Required value"],
    ["several audiences", jwt({ issuer: { url: "https://id.example", audiences: ["a", "b"] } }), "audienceMatchPolicy must be MatchAny for multiple audiences"],
    ["one issuer twice", { jwt: [...jwt({}).jwt, ...jwt({}).jwt] }, 'jwt[1].issuer.url: Duplicate value: "https://id.example"'],
    ["no name", jwt({ claimMappings: {} }), "jwt[0].claimMappings.username: Required value: claim or expression is required"],
    ["no prefix", jwt({ claimMappings: { username: { claim: "sub" } } }), "jwt[0].claimMappings.username.prefix: Required value: prefix is required when claim is set"],
    ["an expression", jwt({ claimMappings: { username: { expression: "claims." } } }), "jwt[0].claimMappings.username.expression: Invalid value"],
    ["its type", jwt({ userValidationRules: [{ expression: "user.username" }] }), "jwt[0].userValidationRules[0].expression: Invalid value: \"user.username\": must evaluate to bool"],
    ["an unknown field", jwt({ userValidationRules: [{ expression: "user.name == ''" }] }), "undefined field 'name'"],
    ["an address nobody checked", jwt({ claimMappings: { username: { expression: "claims.email" } } }), "claims.email_verified must be used"],
    ["a key of Kubernetes' own", jwt({ claimMappings: { ...byName, extra: [{ key: "authentication.kubernetes.io/x", valueExpression: "'a'" }] } }), "reserved for Kubernetes use"],
    ["paths without being enabled", { anonymous: { conditions: [{ path: "/healthz" }] } }, "enabled should be set to true when conditions are defined"],
  ])("%s", (_, content, text) => expect(() => read(content)).toThrow(text));
});

test("anonymous requests are let in where the file says", () => {
  const options = (anonymous: object) => parseIdentityOptions({ "authentication-config": file({ anonymous }) }).anonymous;
  expect([options({ enabled: true }), options({ enabled: false }), options({ enabled: true, conditions: [{ path: "/healthz" }] })]).toEqual([true, false, ["/healthz"]]);
  expect(() => parseIdentityOptions({ "authentication-config": file({}), "oidc-issuer-url": "https://id.example", "oidc-client-id": "a" })).toThrow("mutually exclusive");
});
