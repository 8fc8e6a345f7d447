import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { builtins, certificatesigningrequests, configmaps, events, namespaces, pods, resourcequotas, secrets, serviceaccounts } from "../../src/apis/builtins.ts";
import type { TokenRequest } from "../../src/apis/generated/authentication/v1.ts";
import type { Pod } from "../../src/apis/generated/core/v1.ts";
import type { UserInfo } from "../../src/registry/attributes.ts";
import { fixedKinds, rulesOf, type Controller } from "../../src/client/controller.ts";
import { startControllers } from "../../src/client/run-controllers.ts";
import { createEventRecorder } from "../../src/client/recorder.ts";
import { controllers, type ControllerOptions } from "../../src/controllers/index.ts";
import { startApiServer, type TestApiServer } from "../support/apiserver.ts";
import { eventually } from "../support/eventually.ts";
import { startIssuer, type OidcIssuer } from "../support/oidc-issuer.ts";

const account = (name: string): UserInfo => ({ name: `system:serviceaccount:kube-system:${name}`, groups: ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"] });
const names = ["namespace-controller", "service-account-controller", "token-controller", "resourcequota-controller", "csrapproving", "csrsigning", "csrcleaner"];
const listOf = (options: Pick<ControllerOptions, "sign" | "issueLegacyToken">): Controller[] =>
  controllers({ kinds: fixedKinds(builtins), ca: "the ca", clusterCidr: "10.42.0.0/16", ...options }).filter(({ name }) => names.includes(name));

let server: TestApiServer, issuer: OidcIssuer, running: Promise<void>;
const stop = new AbortController();

/** An API server that knows an OIDC issuer, with the controllers of identity and quotas under their own roles. */
beforeAll(async () => {
  issuer = await startIssuer();
  const none = (): Promise<string> => Promise.reject(new Error("only for the rules"));
  server = await startApiServer({
    controllers: listOf({ sign: none, issueLegacyToken: none }).map((controller) => ({ name: controller.name, rules: rulesOf(controller) })),
    identity: {
      oidc: { issuerUrl: issuer.url, audiences: ["skiff"], usernameClaim: "email", usernamePrefix: "", groupsClaim: "groups", groupsPrefix: "oidc:", requiredClaims: {}, ca: issuer.ca, signingAlgorithms: ["RS256"] },
    },
  });
  const clientFor = (name: string): ReturnType<TestApiServer["client"]> => server.client(account(name));
  running = startControllers(listOf(server), {
    clientFor, informers: server.informers, clock: systemClock,
    recorderFor: (component) => createEventRecorder({ client: clientFor(component), events, component, clock: systemClock }, stop.signal),
  }, stop.signal);
  await eventually(() => server.client().get(serviceaccounts, { namespace: "default", name: "default" }));
});
afterAll(async () => {
  stop.abort();
  await running;
  await server.stop();
  await issuer.stop();
});

const kubectl = async (...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await server.kubectl(...args);
  expect({ args, code, stderr: code === 0 ? "" : stderr }).toEqual({ args, code: 0, stderr: "" });
  return stdout.trim();
};
const asToken = (path: string, token: string) => server.fetch(path, { as: null, headers: { authorization: `Bearer ${token}` } });

test("somebody known to the issuer logs in, and roles go by the groups of the token", async () => {
  const token = await issuer.sign({ email: "jane@example.com", groups: ["ops"] });
  const whoAmI = await server.fetch("/apis/authentication.k8s.io/v1/selfsubjectreviews", { method: "POST", headers: { "content-type": "application/json", authorization: `Bearer ${token}` }, as: null, body: "{}" });
  expect(await whoAmI.json()).toMatchObject({ status: { userInfo: { username: "jane@example.com", groups: ["oidc:ops", "system:authenticated"] } } });
  expect((await asToken("/api/v1/namespaces/default/configmaps", token)).status).toBe(403);
  await kubectl("create", "rolebinding", "ops", "--clusterrole=view", "--group=oidc:ops", "-n", "default");
  expect((await asToken("/api/v1/namespaces/default/configmaps", token)).status).toBe(200);
  expect((await asToken("/api/v1/namespaces/default/configmaps", await issuer.sign({ email: "jane@example.com", aud: "other" }))).status).toBe(401);
});

describe("a certificate request", () => {
  async function request(name: string, subject: string, spec: object): Promise<string> {
    const key = join(server.directory, `${name}.key`);
    const made = Bun.spawnSync(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-subj", subject]);
    const file = join(server.directory, `${name}.json`);
    writeFileSync(file, JSON.stringify({ apiVersion: "certificates.k8s.io/v1", kind: "CertificateSigningRequest", metadata: { name }, spec: { request: made.stdout.toString("base64"), ...spec } }));
    const { code, stderr } = await server.kubectl("create", "-f", file);
    return code === 0 ? key : stderr;
  }
  const statusOf = async (name: string) => (await server.client().get(certificatesigningrequests, { name })).status;

  test("that is approved is signed, and opens the door to its subject", async () => {
    const key = await request("jane", "/O=dev/CN=jane", { signerName: "kubernetes.io/kube-apiserver-client", expirationSeconds: 3600, usages: ["client auth", "digital signature"] });
    expect(await kubectl("certificate", "approve", "jane")).toContain("approved");
    const certificate = await eventually(async () => {
      const status = await statusOf("jane");
      expect(status?.certificate).toBeDefined();
      return Buffer.from(status!.certificate!, "base64").toString();
    });
    const answer = await server.fetch("/apis/authentication.k8s.io/v1/selfsubjectreviews", { as: { certificate, key: await Bun.file(key).text() }, method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
    expect((await answer.json() as { status: unknown }).status).toMatchObject({ userInfo: { username: "jane", groups: ["dev", "system:authenticated"] } });
  });

  test("whose usages the signer does not sign fails in words", async () => {
    await request("server", "/CN=jane", { signerName: "kubernetes.io/kube-apiserver-client", usages: ["server auth"] });
    await kubectl("certificate", "approve", "server");
    await eventually(async () => expect((await statusOf("server"))?.conditions?.find(({ type }) => type === "Failed")).toMatchObject({ reason: "SignerValidationFailure", message: "invalid usage for client certificate: server auth" }));
  });

  test("for the group of administrators is refused", async () => {
    expect(await request("boss", "/O=system:masters/CN=jane", { signerName: "kubernetes.io/kube-apiserver-client", usages: ["client auth"] }))
      .toContain("use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed");
  });

  test("of a kubelet that may join is approved by itself", async () => {
    await request("node", "/O=system:nodes/CN=system:node:n1", { signerName: "kubernetes.io/kube-apiserver-client-kubelet", usages: ["client auth", "digital signature"] });
    await eventually(async () => {
      const status = await statusOf("node");
      expect(status?.conditions?.[0]).toMatchObject({ type: "Approved", reason: "AutoApproved", message: "Auto approving kubelet client certificate after SubjectAccessReview." });
      expect(status?.certificate).toBeDefined();
    });
  });
});

describe("a service account's token", () => {
  test("that is bound to a pod dies with it, and a review tells of both", async () => {
    const client = server.client();
    const pod = await client.create<Pod>(pods, { metadata: { name: "bound", namespace: "default" }, spec: { containers: [{ name: "c", image: "i" }] } as Pod["spec"] });
    const request: TokenRequest = { metadata: {}, spec: { audiences: [], boundObjectRef: { apiVersion: "v1", kind: "Pod", name: "bound", uid: pod.metadata.uid } } };
    const { token } = (await client.createSubresource<TokenRequest>(serviceaccounts, { namespace: "default", name: "default" }, "token", request)).status!;
    const review = async () => (await (await server.fetch("/apis/authentication.k8s.io/v1/tokenreviews", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ spec: { token } }) })).json() as { status: { authenticated?: boolean } }).status;
    expect(await review()).toMatchObject({ authenticated: true, user: { username: "system:serviceaccount:default:default", extra: { "authentication.kubernetes.io/pod-name": ["bound"], "authentication.kubernetes.io/pod-uid": [pod.metadata.uid] } } });
    await client.delete(pods, { namespace: "default", name: "bound" }, { gracePeriodSeconds: 0 });
    expect(await review()).toEqual({ user: {}, error: "invalid bearer token" } as never);
  });

  test("that is kept in a Secret is filled in, good, and gone with the account", async () => {
    const client = server.client();
    await kubectl("create", "serviceaccount", "robot");
    await client.create(secrets, { metadata: { name: "robot-token", namespace: "default", annotations: { "kubernetes.io/service-account.name": "robot" } }, type: "kubernetes.io/service-account-token" });
    const token = await eventually(async () => {
      const { data } = await client.get(secrets, { namespace: "default", name: "robot-token" });
      expect(Object.keys(data ?? {}).sort()).toEqual(["ca.crt", "namespace", "token"]);
      return Buffer.from(data!["token"]!, "base64").toString();
    });
    expect((await asToken("/apis", token)).status).toBe(200);
    expect((await asToken("/api/v1/namespaces/default/pods", token)).status).toBe(403);
    await kubectl("delete", "serviceaccount", "robot");
    expect((await asToken("/apis", token)).status).toBe(401);
    await eventually(() => expect(client.get(secrets, { namespace: "default", name: "robot-token" })).rejects.toThrow("not found"));
  });
});

test("a quota lets in what there is room for, of many at once, and gives back what is deleted", async () => {
  const client = server.client();
  await client.create(namespaces, { metadata: { name: "small" }, spec: {} });
  await kubectl("create", "quota", "few", "-n", "small", "--hard=configmaps=5,pods=1,requests.cpu=1");
  const used = async () => (await client.get(resourcequotas, { namespace: "small", name: "few" })).status?.used?.["configmaps"];
  await eventually(async () => expect(await used()).toBe("0"));
  const results = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => client.create(configmaps, { metadata: { name: `c${i}`, namespace: "small" } })));
  expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(5);
  const { stderr } = await server.kubectl("create", "configmap", "one-more", "-n", "small");
  expect(stderr).toContain('configmaps "one-more" is forbidden: exceeded quota: few, requested: configmaps=1, used: configmaps=5, limited: configmaps=5');
  await kubectl("delete", "configmaps", "--all", "-n", "small");
  await eventually(async () => expect(await used()).toBe("0"));
  expect(await kubectl("create", "configmap", "one-more", "-n", "small")).toContain("created");
  expect((await server.kubectl("run", "p", "-n", "small", "--image=i")).stderr).toContain("failed quota: few: must specify requests.cpu for: p");
});

test("a quota's status that somebody writes is put right", async () => {
  const client = server.client(), where = { namespace: "default", name: "watched" };
  await client.create(resourcequotas, { metadata: where, spec: { hard: { secrets: "5" } } });
  const status = async () => (await client.get(resourcequotas, where)).status;
  await eventually(async () => expect((await status())?.used).toBeDefined());
  await client.patch(resourcequotas, where, { type: "application/merge-patch+json", body: { status: { hard: { secrets: "9" } } } }, { subresource: "status" });
  await eventually(async () => expect((await status())?.hard).toEqual({ secrets: "5" }));
});
