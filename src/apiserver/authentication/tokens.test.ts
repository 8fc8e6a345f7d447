import { describe, expect, test } from "bun:test";
import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { decodeJwt, SignJWT } from "jose";
import type { KubeObject } from "../../apimachinery/meta.ts";
import type { Pod, Secret, ServiceAccount } from "../../apis/generated/core/v1.ts";
import type { HttpRequest } from "../../base/http.ts";
import type { TokenAuthenticator } from "./authenticator.ts";
import { bearerTokenAuthenticator } from "./bearer-token.ts";
import { bootstrapTokenAuthenticator } from "./bootstrap-token.ts";
import { serviceAccountTokens } from "./service-account-tokens.ts";
import { serviceAccountAuthenticator } from "./service-account.ts";
import { staticTokenAuthenticator, tokenHash } from "./static-token.ts";

const issuer = "https://issuer.example", formerIssuer = "https://former.example", audience = "https://api.example";
const hour = 3_600_000;
const newKey = (): KeyObject => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const serviceAccount: ServiceAccount = { metadata: { name: "sa", namespace: "ns", uid: "sa-uid" } };

async function setUp({ formerKeys = [] as KeyObject[], signingKey = newKey() } = {}) {
  const clock = { now: Date.parse("2026-01-01T00:00:00Z") };
  const objects = new Map<string, KubeObject>([["sa ns/sa", serviceAccount], ["pod ns/p", { metadata: { name: "p", namespace: "ns", uid: "p-uid" }, spec: { nodeName: "n1", containers: [] } } as Pod]]);
  const { issuer: tokens, keys } = await serviceAccountTokens({
    issuer, audiences: [audience], signingKey, formerKeys, now: () => clock.now, getPod: (key) => objects.get(`pod ${key}`) as Pod | undefined, getNodeUid: () => "n1-uid",
  });
  const find = (kind: string) => (key: string) => objects.get(`${kind} ${key}`);
  const authenticator = serviceAccountAuthenticator({ keys: keys.verification, issuers: [issuer, formerIssuer], audiences: [audience], now: () => clock.now, objects: { serviceAccount: find("sa"), pod: find("pod"), secret: find("secret"), node: find("node") } });
  const issue = async (over: Partial<Parameters<typeof tokens.issue>[0]> = {}): Promise<string> => (await tokens.issue({ serviceAccount, audiences: [], expirationSeconds: 3600, ...over })).token;
  return { clock, objects, tokens, keys, authenticator, issue, signingKey };
}

const refusedBy = async (authenticator: TokenAuthenticator, token: string): Promise<unknown> => authenticator.authenticateToken(token);

describe("service-account tokens", () => {
  test("name the account, its pod and the pod's node", async () => {
    const { issue, authenticator, tokens } = await setUp();
    const token = await issue({ bound: { kind: "Pod", name: "p", uid: "p-uid" } });
    expect(decodeJwt(token)).toMatchObject({
      iss: issuer, sub: "system:serviceaccount:ns:sa", aud: [audience], exp: 1767229200,
      "kubernetes.io": { namespace: "ns", serviceaccount: { name: "sa", uid: "sa-uid" }, pod: { name: "p", uid: "p-uid" }, node: { name: "n1", uid: "n1-uid" } },
    });
    expect(await authenticator.authenticateToken(token)).toMatchObject({
      audiences: [audience],
      user: { name: "system:serviceaccount:ns:sa", uid: "sa-uid", groups: ["system:serviceaccounts", "system:serviceaccounts:ns"], extra: { "authentication.kubernetes.io/pod-name": ["p"], "authentication.kubernetes.io/node-name": ["n1"] } },
    });
    expect((await tokens.issue({ serviceAccount, audiences: [], expirationSeconds: 1 })).expirationTimestamp).toBe("2026-01-01T00:10:00Z");
  });

  test("of a former issuer hold, of a stranger they are nobody's here", async () => {
    const { authenticator, issue, signingKey, keys } = await setUp();
    const claims = decodeJwt(await issue());
    const from = (iss: string): Promise<string> => new SignJWT({ ...claims, iss }).setProtectedHeader({ alg: "ES256", kid: keys.jwks.keys[0]!.kid! }).sign(signingKey);
    expect(await authenticator.authenticateToken(await from(formerIssuer))).toMatchObject({ user: { name: "system:serviceaccount:ns:sa" } });
    expect(await authenticator.authenticateToken(await from("https://stranger.example"))).toBeUndefined();
  });

  test("die with their time, their account, their pod, also once remembered", async () => {
    const { issue, authenticator, clock, objects } = await setUp();
    const token = await issue(), bound = await issue({ bound: { kind: "Pod", name: "p", uid: "p-uid" }, expirationSeconds: 7 * 24 * 3600 });
    const works = async (text: string): Promise<boolean> => {
      try {
        return (await authenticator.authenticateToken(text)) !== undefined;
      } catch {
        return false;
      }
    };
    expect([await works(token), await works(bound)]).toEqual([true, true]);
    clock.now += hour + 1000;
    expect([await works(token), await works(bound)]).toEqual([false, true]);
    objects.set("pod ns/p", { metadata: { name: "p", namespace: "ns", uid: "reborn" } });
    expect(await works(bound)).toBe(false);
    objects.set("pod ns/p", { metadata: { name: "p", namespace: "ns", uid: "p-uid" } });
    objects.delete("sa ns/sa");
    expect(await works(bound)).toBe(false);
  });

  test("are for who they are for", async () => {
    const { issue, authenticator } = await setUp();
    const token = await issue({ audiences: ["vault"] });
    await expect(refusedBy(authenticator, token)).rejects.toThrow("Unauthorized");
    expect((await authenticator.authenticateToken(token, ["vault", "other"]))?.audiences).toEqual(["vault"]);
  });

  test("of a former key still hold, of a foreign key never did", async () => {
    const old = await setUp();
    const token = await old.issue();
    const renewed = await setUp({ formerKeys: [createPublicKey(old.signingKey)] });
    expect((await renewed.authenticator.authenticateToken(token))?.user.name).toBe("system:serviceaccount:ns:sa");
    const foreign = await setUp();
    await expect(refusedBy(foreign.authenticator, token)).rejects.toThrow("Unauthorized");
  });

  test("unsigned, or signed with the public key as a secret, are refused", async () => {
    const { authenticator, issue, keys } = await setUp();
    const [, payload] = (await issue()).split(".");
    const kid = keys.jwks.keys[0]!.kid!;
    const unsigned = `${Buffer.from(JSON.stringify({ alg: "none", kid })).toString("base64url")}.${payload}.`;
    const claims = decodeJwt(await issue());
    const confused = await new SignJWT(claims).setProtectedHeader({ alg: "HS256", kid }).sign(Buffer.from(JSON.stringify(keys.jwks.keys[0])));
    for (const token of [unsigned, confused]) await expect(refusedBy(authenticator, token)).rejects.toThrow("Unauthorized");
  });

  test("of another issuer are left to others", async () => {
    const { authenticator, signingKey } = await setUp();
    const token = await new SignJWT({ iss: "https://elsewhere" }).setProtectedHeader({ alg: "ES256" }).sign(signingKey);
    expect(await authenticator.authenticateToken(token)).toBeUndefined();
    expect(await authenticator.authenticateToken("opaque")).toBeUndefined();
  });
});

describe("bootstrap tokens", () => {
  const encode = (fields: Record<string, string>): Record<string, string> => Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, Buffer.from(value).toString("base64")]));
  const fields = { "token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true", "auth-extra-groups": "system:bootstrappers:worker,system:masters" };
  const check = (over: Partial<Record<keyof typeof fields | "expiration", string>>, token = "abcdef.0123456789abcdef") => {
    const secret: Secret = { metadata: { name: "bootstrap-token-abcdef", namespace: "kube-system" }, type: "bootstrap.kubernetes.io/token", data: encode({ ...fields, ...over }) };
    return bootstrapTokenAuthenticator({ getSecret: (key) => (key === "kube-system/bootstrap-token-abcdef" ? secret : undefined), now: () => Date.parse("2026-01-01T00:00:00Z") }).authenticateToken(token);
  };

  test("give the groups of bootstrappers, and no others", () => {
    expect(check({})).toMatchObject({ user: { name: "system:bootstrap:abcdef", groups: ["system:bootstrappers", "system:bootstrappers:worker"] } });
  });
  test.each([
    [{ expiration: "2025-12-31T00:00:00Z" }, undefined], [{ "usage-bootstrap-authentication": "false" }, undefined], [{ "token-secret": "0123456789abcdee" }, undefined],
    [{}, "abcdeg.0123456789abcdef"], [{}, "abcdef.0123456789ABCDEF"], [{}, "abcdef.0123456789abcde"],
  ])("%p with %s is refused", (over, token) => expect(check(over, token)).toBeUndefined());
});

test("the bearer token comes in the header or in the WebSocket protocol", async () => {
  const authenticator = bearerTokenAuthenticator([staticTokenAuthenticator({ userOf: (hash) => (hash === tokenHash("s3cret") ? { name: "ann", groups: [] } : undefined) })]);
  const ask = async (headers: Record<string, string>) => authenticator.authenticate({ headers } as unknown as HttpRequest, "/");
  expect(await ask({ authorization: "bearer s3cret" })).toMatchObject({ name: "ann" });
  expect(await ask({ "sec-websocket-protocol": `v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.${Buffer.from("s3cret").toString("base64url")}` })).toMatchObject({ name: "ann" });
  expect(await ask({})).toBeUndefined();
  expect(await ask({ authorization: "Basic s3cret" })).toBeUndefined();
  await expect(ask({ authorization: "Bearer other" })).rejects.toThrow("Unauthorized");
});
