import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { apiVersionOf, type AnyResource } from "../../src/apimachinery/resource.ts";
import { builtins } from "../../src/apis/builtins.ts";
import type { PeerCertificate } from "../../src/base/http.ts";
import { startApiServer, type TestApiServer } from "../support/apiserver.ts";
import { connect } from "../contract/front-client.ts";
import { exchange } from "../support/http.ts";

/** Whatever a client sends is answered, never with a 5xx, and soon; nothing of it gets into the prototypes. */
let server: TestApiServer;
const peer: PeerCertificate = { commonName: "admin", organizations: ["system:masters"], fingerprint: "00" };

beforeAll(async () => {
  server = await startApiServer();
  for (const card of fuzzed) {
    const object = card.example!() as { metadata: { name?: string; namespace?: string } };
    object.metadata.name = "x";
    if (card.scope === "Namespaced") object.metadata.namespace = "default";
    await server.client().create(card, object as never).catch(() => undefined);
  }
});
afterAll(() => server.stop());

const fuzzed: readonly AnyResource[] = ["configmaps", "services", "deployments", "clusterroles", "customresourcedefinitions", "networkpolicies", "horizontalpodautoscalers", "validatingadmissionpolicies", "flowschemas", "resourcequotas"]
  .flatMap((resource) => builtins.find((card) => card.resource === resource && card.example) ?? []);

const words = fc.constantFrom("__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "", "a", "0", "-1", "metadata", "spec", "*", "/", "~1", "%00", "é", "𝒳", "null", "true", "{}", "[", "$patch", "$setElementOrder/a", "$deleteFromPrimitiveList/a", "$retainKeys", "delete", "replace", "merge", "f:metadata", "k:{\"name\":\"a\"}", ".", "a".repeat(300));
const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  any: fc.oneof({ depthSize: "small", withCrossShrink: true }, words, fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null), fc.array(tie("any"), { maxLength: 3 }), fc.dictionary(words, tie("any"), { maxKeys: 3, noNullPrototype: true })),
})).any;

/** An object of the kind with some of its members replaced, at any depth. */
function damaged(card: AnyResource): fc.Arbitrary<string> {
  return fc.array(fc.record({ at: fc.nat({ max: 60 }), put: value, key: words }), { maxLength: 4 }).map((wounds) => {
    const object = { ...card.example!(), apiVersion: apiVersionOf(card), kind: card.kind } as Record<string, unknown>;
    for (const { at, put, key } of wounds) {
      const nodes: Record<string, unknown>[] = [];
      const collect = (node: unknown): void => {
        if (typeof node !== "object" || node === null) return;
        nodes.push(node as Record<string, unknown>);
        Object.values(node).forEach(collect);
      };
      collect(object);
      const node = nodes[at % nodes.length]!;
      const keys = Object.keys(node);
      Object.defineProperty(node, at % 3 === 0 || keys.length === 0 ? key : keys[at % keys.length]!, { value: JSON.parse(JSON.stringify(put)), enumerable: true, writable: true, configurable: true });
    }
    return JSON.stringify(object);
  });
}

const operation = fc.record({ op: fc.constantFrom("add", "remove", "replace", "move", "copy", "test", "x"), path: fc.array(words, { maxLength: 4 }).map((parts) => parts.map((part) => `/${part}`).join("")), from: words.map((word) => `/metadata/${word}`), value }, { requiredKeys: ["op"] });
const selector = fc.array(fc.constantFrom("a", "=", "!=", " in ", "notin", "(", ")", ",", "!", "==", " ", "b.c/d", ">", "<", "1", "__proto__", "\\", "é"), { maxLength: 12 }).map((parts) => parts.join(""));

interface Sent { method: string; url: string; headers: Record<string, string>; body: string | Uint8Array }

const sent: fc.Arbitrary<Sent> = fc.constantFrom(...fuzzed).chain((card) => {
  const root = `${card.group ? `/apis/${card.group}` : "/api"}/${card.version}${card.scope === "Namespaced" ? "/namespaces/default" : ""}/${card.resource}`;
  const query = fc.record({
    labelSelector: selector, fieldSelector: selector, limit: words, continue: words, resourceVersion: words, resourceVersionMatch: words, fieldManager: words, fieldValidation: fc.constantFrom("Strict", "Warn", "Ignore", "x"), force: words, timeout: words, pretty: words,
  }, { requiredKeys: [] }).chain((all) => fc.subarray(Object.entries(all), { maxLength: Math.min(2, Object.keys(all).length) })).map((parameters) => new URLSearchParams([...parameters, ["dryRun", "All"]] as [string, string][]).toString());
  const bodies: fc.Arbitrary<[method: string, path: string, type: string, body: string | Uint8Array]> = fc.oneof(
    damaged(card).map((body) => ["POST", root, "application/json", body] as const),
    damaged(card).map((body) => ["PUT", `${root}/x`, "application/json", body] as const),
    damaged(card).map((body) => ["POST", root, "application/yaml", body] as const),
    fc.string().map((body) => ["POST", root, "application/yaml", body] as const),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => ["POST", root, "application/vnd.kubernetes.protobuf", Buffer.concat([Buffer.from("k8s\0"), bytes])] as const),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => ["POST", root, "application/cbor", bytes] as const),
    damaged(card).map((body) => ["PATCH", `${root}/x`, "application/merge-patch+json", body] as const),
    damaged(card).map((body) => ["PATCH", `${root}/x`, "application/strategic-merge-patch+json", body] as const),
    damaged(card).map((body) => ["PATCH", `${root}/x`, "application/apply-patch+yaml", body] as const),
    fc.array(operation, { maxLength: 5 }).map((patch) => ["PATCH", `${root}/x`, "application/json-patch+json", JSON.stringify(patch)] as const),
    value.map((patch) => ["PATCH", `${root}/x`, "application/strategic-merge-patch+json", JSON.stringify(patch)] as const),
    words.map((word) => ["GET", `${root}/${encodeURIComponent(word)}`, "", ""] as const), fc.constant(["GET", root, "", ""] as const), fc.constant(["DELETE", root, "", ""] as const),
  ) as never;
  return fc.record({ content: bodies, query }).map(({ content: [method, path, type, body], query: search }) => ({ method, url: `${path}?${search}`, headers: (type ? { "content-type": type } : {}) as Record<string, string>, body }));
});

async function answerOf({ method, url, headers, body }: Sent): Promise<{ status: number; text: string }> {
  const { answer, done } = exchange(server.handler, { method, url, headers, body, peer });
  await done;
  return { status: answer.status, text: answer.text() };
}

/** An error that is the server's own. Not so 504, the answer to a `timeout` of nothing, and 500 without a reason, as Kubernetes answers to patches that don't fit. */
const isOurs = (status: number, text: string): boolean => status === 0 || (status >= 500 && status !== 504 && (text === "" || text.includes('"InternalError"')));

/** Of this process, not of the machine's others. */
function millisecondsSince(began: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1000;
}

const statuses: Record<string, number> = {};
describe("the whole server", () => {
  test("answers any request without a fault of its own, and soon", async () => {
    await fc.assert(fc.asyncProperty(sent, async (request) => {
      const began = process.cpuUsage();
      const { status, text } = await answerOf(request);
      statuses[status] = (statuses[status] ?? 0) + 1;
      if (isOurs(status, text)) throw new Error(`${status} ${text.slice(0, 300)}`);
      expect(millisecondsSince(began)).toBeLessThan(2000);
      expect(Object.keys(Object.prototype)).toEqual([]);
      expect(({} as Record<string, unknown>)["a"]).toBeUndefined();
    }), { numRuns: 3000, seed: Number(process.env["FUZZ_SEED"] ?? 1) });
    // Most of it has to get further than the first check.
    expect((statuses[200] ?? 0) + (statuses[201] ?? 0) + (statuses[422] ?? 0)).toBeGreaterThan(500);
  }, 300_000);

  /** What broke it once. */
  test.each([
    ["an apiVersion that is no text", { method: "POST", url: "/api/v1/namespaces/default/configmaps", headers: { "content-type": "application/json" }, body: '{"apiVersion":{"toString":"__proto__"},"kind":"ConfigMap"}' }],
    ["a patch of what every object inherits", { method: "PATCH", url: "/api/v1/namespaces/default/configmaps/x", headers: { "content-type": "application/json-patch+json" }, body: '[{"op":"remove","path":"/null/hasOwnProperty"}]' }],
    ["a copy of what every object inherits", { method: "PATCH", url: "/api/v1/namespaces/default/configmaps/x", headers: { "content-type": "application/json-patch+json" }, body: '[{"op":"copy","from":"/metadata/toString","path":"/data/a"}]' }],
  ] as [string, Sent][])("%s", async (_, request) => {
    const { status, text } = await answerOf(request);
    expect(isOurs(status, text)).toBe(false);
  });
});

describe("long input takes no longer than it is long", () => {
  const long = 200_000;
  test.each([
    ["nested arrays", "application/json", `{"metadata":${"[".repeat(long)}`], ["nested objects", "application/json", `${'{"a":'.repeat(long / 5)}`], ["nested YAML", "application/yaml", "[".repeat(long)], ["YAML aliases", "application/yaml", `a: &a [x,x]\n${Array.from({ length: 30 }, (_, i) => `b${i}: &b${i} [*${i ? `b${i - 1}` : "a"},*${i ? `b${i - 1}` : "a"}]`).join("\n")}`],
    ["labels", "application/json", JSON.stringify({ metadata: { name: "x", labels: Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, "v"])) } })],
    ["owner references", "application/json", JSON.stringify({ metadata: { name: "x", ownerReferences: Array.from({ length: 5_000 }, (_, i) => ({ apiVersion: "v1", kind: "Pod", name: `p${i}`, uid: `u${i}` })) } })],
    ["finalizers", "application/json", JSON.stringify({ metadata: { name: "x", finalizers: Array.from({ length: 10_000 }, (_, i) => `a.b/f${i}` ) } })],
  ])("%s", async (_, type, body) => {
    const began = process.cpuUsage();
    const { status, text } = await answerOf({ method: "POST", url: "/api/v1/namespaces/default/configmaps?dryRun=All", headers: { "content-type": type }, body });
    expect(isOurs(status, text)).toBe(false);
    expect(millisecondsSince(began)).toBeLessThan(5000);
  });

  test("copies of copies in a patch", async () => {
    const patch = Array.from({ length: 60 }, (_, i) => ({ op: "copy", from: "/data", path: `/data/c${i}` }));
    const { status } = await answerOf({ method: "PATCH", url: "/api/v1/namespaces/default/configmaps/x", headers: { "content-type": "application/json-patch+json" }, body: JSON.stringify(patch) });
    expect(status).toBe(422);
  });

  test.each([["terms", "a,".repeat(4000)], ["values", `a in (${"b,".repeat(4000)}c)`], ["parentheses", "(".repeat(8000)], ["white space", `a${" ".repeat(8000)}b`]])("selectors of many %s", async (_, text) => {
    const began = process.cpuUsage();
    const { status } = await answerOf({ method: "GET", url: `/api/v1/pods?labelSelector=${encodeURIComponent(text)}`, headers: {}, body: "" });
    expect(isOurs(status, text)).toBe(false);
    expect(millisecondsSince(began)).toBeLessThan(2000);
  });
});

describe("the port", () => {
  test("serves the next client after any bytes", async () => {
    const lines = fc.constantFrom("GET / HTTP/1.1\r\n", "Host: a\r\n", "\r\n", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "5\r\nabcde\r\n", "0\r\n\r\n", "Connection: upgrade\r\nUpgrade: SPDY/3.1\r\n", "Expect: 100-continue\r\n", "POST /api/v1/pods?watch=1 HTTP/1.1\r\n", "\n", "\0", "GET http://a/ HTTP/1.0\r\n", ": x\r\n", "X: \x01\r\n", "Cookie: a\r\n".repeat(200));
    await fc.assert(fc.asyncProperty(fc.array(fc.oneof(lines, fc.string(), fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes).toString("latin1"))), { maxLength: 8 }), async (pieces) => {
      const wild = await connect({ port: server.port, ca: server.ca });
      for (const piece of pieces) wild.send(Buffer.from(piece, "latin1"));
      const good = await connect({ port: server.port, ca: server.ca });
      good.send("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
      await good.until(({ text }) => text.startsWith("HTTP/1.1 200 OK\r\n"));
      good.destroy();
      wild.destroy();
    }), { numRuns: 100, seed: 1 });
  }, 180_000);
});
