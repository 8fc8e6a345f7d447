import { afterAll, beforeAll, expect, test } from "bun:test";
import { clusterrolebindings, configmaps, nodes } from "../../src/apis/builtins.ts";
import { mandatory } from "../../src/apis/flowcontrol/bootstrap.ts";
import { flowschemas } from "../../src/apis/flowcontrol/flowschema.ts";
import { prioritylevelconfigurations } from "../../src/apis/flowcontrol/prioritylevelconfiguration.ts";
import type { FlowSchema, PriorityLevelConfiguration } from "../../src/apis/generated/flowcontrol/v1.ts";
import type { KeyPair } from "../../src/server/pki/certificate.ts";
import { startApiServer, type TestApiServer } from "../support/apiserver.ts";

let server: TestApiServer, greedy: KeyPair, kubelet: KeyPair;
const objects = 3000, lists = 150, needs = 10;

beforeAll(async () => {
  // On a busy machine the client, which is in this process too, may need long for so many handshakes.
  server = await startApiServer({ totalSeats: 60, maxWatchesPerUser: 3, limits: { headerTimeoutMs: 120_000 } });
  const client = server.client();
  await client.create(nodes, { metadata: { name: "n1" }, spec: {} });
  await client.create(clusterrolebindings, { metadata: { name: "greedy" }, roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" }, subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "greedy" }] });
  await Promise.all(Array.from({ length: objects }, (_, i) => client.create(configmaps, { metadata: { name: `c${i}`, namespace: "default" }, data: { text: "x".repeat(200) } })));
  greedy = await server.certificate("greedy");
  kubelet = await server.certificate("system:node:n1", "system:nodes");
});
afterAll(() => server.stop());

const ask = async (path: string, as: KeyPair): Promise<Response> => {
  const answer = await server.fetch(path, { as });
  await answer.arrayBuffer();
  return answer;
};
/** Connections are made before, so that what is measured is the order of serving. */
const warm = (as: KeyPair, count: number): Promise<unknown> => Promise.all(Array.from({ length: count }, () => ask("/version", as)));

test("a client that lists as fast as it can does not keep a kubelet waiting", async () => {
  await warm(greedy, lists);
  await warm(kubelet, 1);
  const order: string[] = [];
  const greed = Array.from({ length: lists }, () => ask("/api/v1/configmaps", greedy).then(({ status }) => order.push(`list ${status}`)));
  await Promise.race(greed);
  const before = order.length;
  // One after the other, as a kubelet that waits for each answer.
  for (let i = 0; i < needs; i++) order.push(`kubelet ${(await ask("/api/v1/nodes/n1", kubelet)).status}`);
  const answeredMeanwhile = order.filter((entry) => entry === "list 200").length - before;
  // With nothing to keep order, each of its requests waits behind all lists that have arrived.
  expect(answeredMeanwhile).toBeLessThan(lists / 2);
  expect(order.filter((entry) => entry === "kubelet 200")).toHaveLength(needs);
  await Promise.all(greed);
  expect(order.filter((entry) => entry === "list 200").length).toBeGreaterThan(0);
});

test("two users of the same level take turns", async () => {
  const modest = await server.certificate("modest");
  await server.client().create(clusterrolebindings, { metadata: { name: "modest" }, roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" }, subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "modest" }] });
  await warm(greedy, lists);
  await warm(modest, 1);
  const order: string[] = [];
  const greed = Array.from({ length: lists }, () => ask("/api/v1/configmaps", greedy).then(({ status }) => order.push(`greedy ${status}`)));
  await Promise.race(greed);
  expect((await ask("/api/v1/configmaps", modest)).status).toBe(200);
  expect(order.length).toBeLessThan(lists / 2);
  await Promise.all(greed);
});

test("stored objects count at once: a queue that is full refuses, and says when to come again", async () => {
  const client = server.client();
  const tiny: PriorityLevelConfiguration = { metadata: { name: "tiny" }, spec: { type: "Limited", limited: { nominalConcurrencyShares: 1, limitResponse: { type: "Queue", queuing: { queues: 1, handSize: 1, queueLengthLimit: 5 } } } } };
  const schema: FlowSchema = { metadata: { name: "tiny" }, spec: { priorityLevelConfiguration: { name: "tiny" }, matchingPrecedence: 2, rules: [{ subjects: [{ kind: "User", user: { name: "greedy" } }], resourceRules: [{ verbs: ["list"], apiGroups: [""], resources: ["configmaps"], clusterScope: true, namespaces: ["*"] }] }] } };
  for (const level of [...mandatory.priorityLevels, tiny]) await client.create(prioritylevelconfigurations, structuredClone(level) as PriorityLevelConfiguration);
  for (const each of [...mandatory.flowSchemas, schema]) await client.create(flowschemas, structuredClone(each) as FlowSchema);
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask("/api/v1/configmaps", greedy)));
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(0);
  expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(5);
  expect(refused[0]!.headers.get("retry-after")).toBe("1");
  const { metadata: { uid } } = await client.get(flowschemas, { name: "tiny" });
  expect(refused[0]!.headers.get("x-kubernetes-pf-flowschema-uid")).toBe(uid!);
  expect(await (await server.fetch("/metrics")).text()).toMatch(/apiserver_flowcontrol_rejected_requests_total\{priority_level="tiny",flow_schema="tiny",reason="queue-full"\} \d+/);
});

test("answers name their flow schema and priority level", async () => {
  const { headers } = await ask("/api/v1/namespaces/default/configmaps/c1", greedy);
  expect(headers.has("x-kubernetes-pf-flowschema-uid")).toBe(true);
  expect(headers.has("x-kubernetes-pf-prioritylevel-uid")).toBe(true);
});

test("a user has so many watches and no more", async () => {
  const open = new AbortController();
  const watch = () => server.fetch("/api/v1/namespaces/default/pods?watch=1", { as: greedy, signal: open.signal });
  for (let i = 0; i < 3; i++) expect((await watch()).status).toBe(200);
  const refused = await watch();
  expect(refused.status).toBe(429);
  expect(await refused.json()).toMatchObject({ reason: "TooManyRequests", message: 'user "greedy" has 3 watches open, which is as many as one may have', details: { retryAfterSeconds: 10 } });
  expect((await server.fetch("/api/v1/namespaces/default/pods?watch=1&timeoutSeconds=1")).status).toBe(200);
  open.abort();
});
