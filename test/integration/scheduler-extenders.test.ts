import { afterEach, describe, expect, test } from "bun:test";
import { nodes, pods, priorityclasses } from "../../src/apis/builtins.ts";
import { parseSchedulerConfiguration } from "../../src/scheduler/configuration/parse.ts";
import { createCa, createLeaf } from "../../src/server/pki/certificate.ts";
import { eventually } from "../support/eventually.ts";
import { namespace, startSchedulerCluster, type SchedulerCluster } from "../support/scheduler-cluster.ts";

const header = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n";
const gpu = "example.com/gpu";

/** What an extender is sent, of whichever verb. Source: k8s.io/kube-scheduler/extender/v1. */
interface ExtenderBody {
  Pod?: { metadata: { name: string } };
  PodName?: string;
  PodNamespace?: string;
  PodUID?: string;
  Node?: string;
  NodeNames?: string[] | null;
  Nodes?: { items: { metadata: { name: string } }[] } | null;
  NodeNameToMetaVictims?: Record<string, object>;
}

interface Asked {
  verb: string;
  pod: string;
  /** Names of nodes, however they were told. */
  nodes: string[];
  body: ExtenderBody;
}
type Answer = (asked: Asked) => unknown;

/** An extender: what it was asked, and by verb what it answers. A Response is answered as it is. */
function startExtender(answers: Record<string, Answer>): { url: string; asked: Asked[]; [Symbol.dispose](): void } {
  const asked: Asked[] = [];
  const server = Bun.serve({
    port: 0, hostname: "127.0.0.1",
    async fetch(request) {
      const body = await request.json() as ExtenderBody;
      const verb = new URL(request.url).pathname.slice("/scheduler/".length);
      const call: Asked = { verb, body, pod: body.Pod?.metadata.name ?? body.PodName!, nodes: body.NodeNames ?? body.Nodes?.items.map((node) => node.metadata.name) ?? [] };
      asked.push(call);
      const answer = await answers[verb]!(call);
      return answer instanceof Response ? answer : Response.json(answer);
    },
  });
  return { url: `http://127.0.0.1:${server.port}/scheduler/`, asked, [Symbol.dispose]: () => void server.stop(true) };
}

/** Of an extender with a cache of its own. */
const only = (...names: string[]): Answer => ({ nodes }) => ({ NodeNames: nodes.filter((name) => names.includes(name)), FailedNodes: Object.fromEntries(nodes.filter((name) => !names.includes(name)).map((name) => [name, "no licence"])) });

describe("extenders", () => {
  let cluster: SchedulerCluster;
  const disposables: Disposable[] = [];
  afterEach(async () => {
    await cluster[Symbol.asyncDispose]();
    for (const one of disposables.splice(0)) one[Symbol.dispose]();
  });
  const extender = (answers: Record<string, Answer>): ReturnType<typeof startExtender> => {
    const started = startExtender(answers);
    disposables.push(started);
    return started;
  };
  const start = async (...extenders: Record<string, unknown>[]): Promise<void> => {
    cluster = await startSchedulerCluster({ configuration: parseSchedulerConfiguration(`${header}extenders: ${JSON.stringify(extenders)}\n`).configuration });
  };
  const noHelp = (nodes: number): string => `no new claims to deallocate, preemption: 0/${nodes} nodes are available: ${nodes} No preemption victims found for incoming pod.`;

  test("say which nodes a pod can have, and why not others", async () => {
    let licensed: string[] = [];
    const { url, asked } = extender({ filter: (call) => only(...licensed)(call) });
    await start({ urlPrefix: url, filterVerb: "filter", nodeCacheCapable: true });
    for (const name of ["a", "b", "small"]) await cluster.addNode(name, name === "small" ? { cpu: "500m" } : {});
    await cluster.addPod("web");
    await cluster.says("web", `0/3 nodes are available: 1 Insufficient cpu, 2 no licence. no new claims to deallocate, preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod.`);
    expect(asked[0]).toMatchObject({ pod: "web", nodes: ["a", "b"], body: { Nodes: null, Pod: { metadata: { namespace } } } });
    licensed = ["b"];
    // Any change may end it, and nobody knows which.
    await cluster.addNode("another", { cpu: "100m" });
    expect(await cluster.nodeOf("web")).toBe("b");
  });

  test("that know no nodes get them whole, and names in answers may be of any case", async () => {
    const { url, asked } = extender({ filter: ({ body }) => ({ nodes: { items: body.Nodes!.items.slice(1) }, failedAndUnresolvableNodes: { a: "too old" } }) });
    await start({ urlPrefix: url, filterVerb: "filter" });
    for (const name of ["a", "b"]) await cluster.addNode(name);
    await cluster.addPod("web");
    expect(await cluster.nodeOf("web")).toBe("b");
    expect(asked[0]!.body).toMatchObject({ NodeNames: null, Nodes: { items: [{ metadata: { name: "a" }, status: { capacity: { cpu: "2" } } }, {}] } });
  });

  test("go one after another, each with what the one before has left, and pass over those without a node", async () => {
    const first = extender({ filter: only("a", "b") }), second = extender({ filter: only("b", "c") }), third = extender({ filter: only() });
    await start({ urlPrefix: third.url, filterVerb: "filter", nodeCacheCapable: true, ignorable: true }, { urlPrefix: first.url, filterVerb: "filter", nodeCacheCapable: true }, { urlPrefix: second.url, filterVerb: "filter", nodeCacheCapable: true });
    for (const name of ["a", "b", "c"]) await cluster.addNode(name);
    await cluster.addPod("web");
    await cluster.says("web", `0/3 nodes are available: 3 no licence. ${noHelp(3)}`);
    expect([first, second, third].map(({ asked }) => asked[0]!.nodes)).toEqual([["a", "b", "c"], ["a", "b"], ["b"]]);
  });

  test("add to the scores, each by its weight; one that fails adds nothing", async () => {
    const prefers = (scores: Record<string, number>) => ({ nodes }: Asked) => nodes.map((Host) => ({ Host, Score: scores[Host] ?? 0 }));
    const light = extender({ score: prefers({ a: 10 }) }), heavy = extender({ score: prefers({ b: 10 }) }), broken = extender({ score: () => [{ Host: "a", Score: "much" }] });
    await start(...[[light, 20], [heavy, 30], [broken, 1000]].map(([one, weight]) => ({ urlPrefix: (one as typeof light).url, prioritizeVerb: "score", weight, nodeCacheCapable: true })));
    for (const name of ["a", "b", "c"]) await cluster.addNode(name);
    for (const name of ["one", "two"]) {
      await cluster.addPod(name, {}, { cpu: "100m" });
      expect(await cluster.nodeOf(name)).toBe("b");
    }
    expect(broken.asked).toHaveLength(2);
  });

  test("are asked about pods that want what they manage, which nodes needn't have", async () => {
    const { url, asked } = extender({ filter: only("a") });
    await start({ urlPrefix: url, filterVerb: "filter", nodeCacheCapable: true, managedResources: [{ name: gpu, ignoredByScheduler: true }] });
    for (const name of ["a", "b"]) await cluster.addNode(name);
    await cluster.addPod("plain");
    await cluster.nodeOf("plain");
    await cluster.addPod("wants", {}, { [gpu]: "1" });
    expect(await cluster.nodeOf("wants")).toBe("a");
    expect(asked.map(({ pod }) => pod)).toEqual(["wants"]);
  });

  test("that fail keep pods from being scheduled, unless they may be ignored", async () => {
    let broken = true;
    const strict = extender({ filter: (call) => (broken ? new Response("", { status: 500 }) : only("a")(call)) });
    const lenient = extender({ filter: () => new Response("", { status: 503 }), bind: () => ({ Error: "can't" }) });
    await start({ urlPrefix: strict.url, filterVerb: "filter", nodeCacheCapable: true }, { urlPrefix: lenient.url, filterVerb: "filter", bindVerb: "bind", ignorable: true });
    await cluster.addNode("a");
    await cluster.addPod("web");
    await cluster.says("web", `failed filter with extender at URL ${strict.url}filter, code 500`, "SchedulerError");
    broken = false;
    expect(await cluster.nodeOf("web")).toBe("a");
    expect(lenient.asked.map(({ verb }) => verb)).toEqual(["filter", "bind"]);
  });

  const mistakes: [name: string, answer: Answer, message: (url: string) => string][] = [
    ["an error", () => ({ NodeNames: ["a"], Error: "out of order" }), () => "out of order"],
    ["a node that wasn't asked about", () => ({ NodeNames: ["z"] }), (url) => `extender ${JSON.stringify(url)} claims a filtered node "z" which is not found in the input node list`],
    ["nothing", () => new Response(""), () => "EOF"],
    ["something else", () => ({ NodeNames: 1 }), () => "json: cannot unmarshal number 1 into Go value of type slice"],
  ];
  test.each(mistakes)("that answer %s fail", async (_, answer, message) => {
    const { url } = extender({ filter: answer });
    await start({ urlPrefix: url, filterVerb: "filter", nodeCacheCapable: true });
    await cluster.addNode("a");
    await cluster.addPod("web");
    await cluster.says("web", message(url), "SchedulerError");
  });

  test("that don't answer in time, or aren't there, fail", async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    let answer = (): unknown => promise;
    const slow = extender({ filter: () => answer() }), gone = startExtender({});
    gone[Symbol.dispose]();
    await start({ urlPrefix: slow.url, filterVerb: "filter", httpTimeout: "50ms", managedResources: [{ name: "example.com/slow" }] }, { urlPrefix: gone.url, filterVerb: "filter", managedResources: [{ name: gpu }] });
    await cluster.addNode("a", { resources: { [gpu]: "1", "example.com/slow": "1" } });
    await cluster.addPod("slow", {}, { "example.com/slow": "1" });
    await cluster.says("slow", `Post "${slow.url}filter": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`, "SchedulerError");
    answer = () => new Response(new ReadableStream({ start: (body) => body.enqueue("{"), pull: async () => void (await promise) }));
    await cluster.says("slow", "context deadline exceeded (Client.Timeout or context cancellation while reading body)", "SchedulerError");
    await cluster.addPod("gone", {}, { [gpu]: "1" });
    await cluster.says("gone", `Post "${gone.url}filter": dial tcp ${new URL(gone.url).host}: connect: connection refused`, "SchedulerError");
    resolve({});
  });

  test("are reached over TLS, with a certificate where they want one", async () => {
    const notAfter = new Date(Date.now() + 86_400_000);
    const ca = await createCa("extenders", notAfter);
    const leaf = (usage: "server" | "client", ...names: string[]) => createLeaf({ issuer: ca, usage, subject: { commonName: usage }, names, notAfter });
    const [own, scheduler] = await Promise.all([leaf("server", "extender.example"), leaf("client")]);
    const server = Bun.serve({
      port: 0, hostname: "127.0.0.1", tls: { cert: own.certificate, key: own.key, ca: ca.certificate, requestCert: true, rejectUnauthorized: true },
      fetch: async (request) => Response.json({ NodeNames: (await request.json() as { NodeNames: string[] }).NodeNames }),
    });
    disposables.push({ [Symbol.dispose]: () => void server.stop(true) });
    const base64 = (text: string): string => Buffer.from(text).toString("base64");
    const own64 = { certData: base64(scheduler.certificate), keyData: base64(scheduler.key) };
    const tls: [resource: string, settings: Record<string, unknown>][] = [
      ["example.com/verified", { enableHTTPS: true, tlsConfig: { ...own64, caData: base64(ca.certificate), serverName: "extender.example" } }],
      ["example.com/trusted", { enableHTTPS: true, tlsConfig: own64 }],
      ["example.com/misnamed", { enableHTTPS: true, tlsConfig: { ...own64, caData: base64(ca.certificate) } }],
      ["example.com/unknown", { tlsConfig: own64 }],
      ["example.com/nameless", { enableHTTPS: true }],
    ];
    await start(...tls.map(([name, settings]) => ({ urlPrefix: `https://127.0.0.1:${server.port}`, filterVerb: "filter", nodeCacheCapable: true, managedResources: [{ name, ignoredByScheduler: true }], ...settings })));
    await cluster.addNode("a");
    for (const [name] of tls) await cluster.addPod(name.slice("example.com/".length), {}, { [name]: "1" });
    for (const name of ["verified", "trusted"]) expect(await cluster.nodeOf(name)).toBe("a");
    for (const name of ["misnamed", "unknown", "nameless"]) await eventually(async () => expect(await cluster.scheduled(name)).toMatchObject({ status: "False", reason: "SchedulerError", message: expect.stringMatching(/^Post "https:/) }));
  });

  test("bind in place of the scheduler", async () => {
    let refuses = true;
    const { url, asked } = extender({
      async bind({ body: { PodName: name, PodNamespace, Node } }) {
        if (refuses) return { Error: "not yet" };
        await cluster.client.createSubresource(pods, { namespace: PodNamespace, name: name! }, "binding", { apiVersion: "v1", kind: "Binding", metadata: { name }, target: { kind: "Node", name: Node } });
        return {};
      },
    });
    await start({ urlPrefix: url, bindVerb: "bind" });
    await cluster.addNode("a");
    const { metadata: { uid } } = await cluster.addPod("web");
    await cluster.says("web", "not yet", "SchedulerError");
    refuses = false;
    expect(await cluster.nodeOf("web")).toBe("a");
    expect(asked[0]!.body).toEqual({ PodName: "web", PodNamespace: namespace, PodUID: uid, Node: "a" });
    await eventually(async () => expect(await cluster.eventsOf("web")).toContainEqual(expect.objectContaining({ reason: "Scheduled", message: `Successfully assigned ${namespace}/web to a` })));
  });

  test("choose among the victims of preemption", async () => {
    const { url, asked } = extender({ preempt: ({ body }) => ({ NodeNameToMetaVictims: { b: body.NodeNameToMetaVictims!.b } }) });
    await start({ urlPrefix: url, preemptVerb: "preempt", nodeCacheCapable: true });
    for (const [name, value] of [["low", 1], ["mid", 2], ["high", 100]] as const) await cluster.client.create(priorityclasses, { metadata: { name }, value });
    const uids: Record<string, string> = {};
    for (const [name, priorityClassName] of [["a", "low"], ["b", "mid"]] as const) {
      await cluster.addNode(name);
      uids[name] = (await cluster.addPod(`on-${name}`, { priorityClassName, nodeName: name }, { cpu: "2" })).metadata.uid!;
    }
    await cluster.addPod("high", { priorityClassName: "high" }, { cpu: "2" });
    await eventually(async () => expect((await cluster.getPod("on-b")).metadata.deletionTimestamp).toBeString());
    expect((await cluster.getPod("on-a")).metadata.deletionTimestamp).toBeUndefined();
    expect(asked[0]!.body).toMatchObject({ NodeNameToVictims: null, NodeNameToMetaVictims: { a: { Pods: [{ UID: uids["a"] }], NumPDBViolations: 0 }, b: { Pods: [{ UID: uids["b"] }], NumPDBViolations: 0 } } });
  });

  const refusals: [name: string, answer: Answer, message: string][] = [
    ["leave no candidate", () => ({}), "no new claims to deallocate, preemption: no candidate node for preemption"],
    ["name no victim", () => ({ NodeNameToMetaVictims: { a: { Pods: [] } } }), 'preemption: expected at least one victim pod on node "a"'],
    ["name a pod that isn't there", () => ({ NodeNameToMetaVictims: { a: { Pods: [{ UID: "x" }] } } }), "preemption: extender: URL claims to preempt pod (UID: &{x}) on node: a, but the pod is not found on that node"],
  ];
  test.each(refusals)("that %s end a preemption", async (_, answer, message) => {
    const { url } = extender({ preempt: answer });
    await start({ urlPrefix: url, preemptVerb: "preempt" });
    await cluster.client.create(priorityclasses, { metadata: { name: "high" }, value: 100 });
    await cluster.addNode("a");
    await cluster.addPod("low", { nodeName: "a" }, { cpu: "2" });
    await cluster.addPod("high", { priorityClassName: "high" }, { cpu: "2" });
    await cluster.says("high", `0/1 nodes are available: 1 Insufficient cpu. ${message.replace("URL", url)}`);
    expect((await cluster.getPod("low")).metadata.deletionTimestamp).toBeUndefined();
  });

  test("are waited for while the cluster goes on", async () => {
    const gates: Record<string, PromiseWithResolvers<void>> = { left: Promise.withResolvers(), moved: Promise.withResolvers() };
    const { url, asked } = extender({ filter: async ({ pod, nodes }) => {
      await gates[pod]?.promise;
      return { NodeNames: nodes };
    } });
    await start({ urlPrefix: url, filterVerb: "filter", nodeCacheCapable: true });
    for (const name of ["a", "b"]) await cluster.addNode(name);
    await cluster.addPod("left");
    await eventually(() => expect(asked.map(({ pod }) => pod)).toEqual(["left"]));
    await cluster.removePod("left");
    await cluster.addPod("moved");
    gates["left"]!.resolve();
    await eventually(() => expect(asked.map(({ pod }) => pod)).toEqual(["left", "moved"]));
    await cluster.client.delete(nodes, { name: "a" });
    gates["moved"]!.resolve();
    expect(await cluster.nodeOf("moved")).toBe("b");
  });

  test("don't keep the scheduler from stopping", async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const { url, asked } = extender({ filter: () => promise });
    await start({ urlPrefix: url, filterVerb: "filter", httpTimeout: "1h" });
    await cluster.addNode("a");
    await cluster.addPod("web");
    await eventually(() => expect(asked).toHaveLength(1));
    await cluster.stop();
    expect(await cluster.scheduled("web")).toBeUndefined();
    resolve({});
  });
});
