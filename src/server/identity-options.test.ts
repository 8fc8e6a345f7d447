import { describe, expect, test } from "bun:test";
import { parseIdentityOptions } from "./identity-options.ts";

const oidc = { "oidc-issuer-url": "https://id.example.com", "oidc-client-id": "skiff" };

test("without settings nobody else comes in", () => {
  const issuer = "https://kubernetes.default.svc.cluster.local";
  expect(parseIdentityOptions({})).toEqual({ anonymous: true, serviceAccounts: { issuers: [issuer], audiences: [issuer] }, enabledAdmissionPlugins: [], disabledAdmissionPlugins: [] });
});

test("several issuers are audiences too, unless those are named", () => {
  const issuers = ["https://a.example", "https://b.example"];
  expect(parseIdentityOptions({ "service-account-issuer": issuers, "service-account-jwks-uri": "https://a.example/keys" }).serviceAccounts).toEqual({ issuers: ["https://a.example", "https://b.example"], jwksUri: "https://a.example/keys", audiences: issuers });
  expect(parseIdentityOptions({ "service-account-issuer": issuers, "api-audiences": ["api"] }).serviceAccounts.audiences).toEqual(["api"]);
  expect(parseIdentityOptions({ "cluster-domain": "edge.example" }).serviceAccounts.issuers).toEqual(["https://kubernetes.default.svc.edge.example"]);
  expect(parseIdentityOptions({ "anonymous-auth": false }).anonymous).toBe(false);
});

test("names get the issuer as their prefix, addresses none", () => {
  expect(parseIdentityOptions(oidc).oidc).toMatchObject({ audiences: ["skiff"], usernameClaim: "sub", usernamePrefix: "https://id.example.com#", groupsPrefix: "", signingAlgorithms: ["RS256"] });
  expect(parseIdentityOptions({ ...oidc, "oidc-username-claim": "email" }).oidc?.usernamePrefix).toBe("");
  expect(parseIdentityOptions({ ...oidc, "oidc-username-prefix": "-" }).oidc?.usernamePrefix).toBe("");
  expect(parseIdentityOptions({ ...oidc, "oidc-username-prefix": "id:", "oidc-required-claim": ["a=b=c"] }).oidc).toMatchObject({ usernamePrefix: "id:", requiredClaims: { a: "b=c" } });
});

describe("a mistake is told in a sentence", () => {
  test.each([
    [{ "oidc-issuer-url": "https://id.example.com" }, "--oidc-issuer-url and --oidc-client-id belong together"],
    [{ ...oidc, "oidc-issuer-url": "http://id.example.com" }, "--oidc-issuer-url must begin with https://"],
    [{ ...oidc, "oidc-signing-algs": ["HS256"] }, '--oidc-signing-algs must be of RS256'],
    [{ ...oidc, "oidc-required-claim": ["a"] }, '--oidc-required-claim "a" must look like key=value'],
    [{ ...oidc, "oidc-ca-file": "/nowhere.pem" }, "--oidc-ca-file /nowhere.pem does not exist"],
    [{ "service-account-issuer": ["a b:c"] }, "--service-account-issuer contained a ':' but was not a valid URL"],
    [{ "service-account-jwks-uri": "http://a.example/keys" }, "--service-account-jwks-uri must begin with https://"],
    [{ "token-auth-file": "/nowhere.csv" }, "--token-auth-file /nowhere.csv does not exist"],
  ])("%p", (values, text) => expect(() => parseIdentityOptions(values)).toThrow(text));
});
