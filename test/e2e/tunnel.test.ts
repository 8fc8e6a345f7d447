import { afterAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { startCluster } from "../support/node/cluster.ts";
import { pod, service, shell, webServer } from "../support/workloads.ts";

// A node that nobody can connect to: what the server wants of its kubelet goes through the connection that the agent made.
const cluster = await startCluster({ agents: 1 });
afterAll(() => cluster.dispose());
const { kubectl, server } = cluster;
const agent = cluster.member("agent-1");
const closed = ["input", "forward"].map((hook) => `add chain inet closed ${hook} { type filter hook ${hook} priority -300; }; add rule inet closed ${hook} iifname eth0 meta l4proto tcp tcp flags & (syn | ack) == syn drop`);
await agent.node.exec(["nft", `add table inet closed; ${closed.join("; ")}`]);
await kubectl.apply(pod("web", webServer("echo from the web > /www/index.html"), { nodeName: "agent-1" }), service("web"), pod("far", shell("echo started; i=0; while true; do i=$((i+1)); echo line $i; sleep 0.2; done"), { nodeName: "agent-1" }));
await kubectl("wait", "--for=condition=Ready", "pod/far", "pod/web", "--timeout=120s");

/** Requests of a kind that the server has answered over HTTP since it started; its own node's don't go that way. */
async function requests(...labels: string[]): Promise<number> {
  const lines = (await kubectl("get", "--raw", "/metrics")).split("\n").filter((line) => line.startsWith("apiserver_request_total{") && labels.every((label) => line.includes(label)));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

const renewedAt = async (): Promise<string> => (await kubectl.get("lease", "-n", "kube-node-lease", "agent-1")).spec.renewTime as string;

describe("a node that can't be connected to", () => {
  test("shows logs, and goes on showing them", async () => {
    await eventually(async () => expect(await kubectl("logs", "far", "--limit-bytes=8")).toBe("started\n"));
    const following = kubectl.start(["logs", "-f", "far", "--tail=1"]);
    const [, first] = await following.until(/line (\d+)/);
    await following.until(new RegExp(`line ${Number(first) + 3}\n`));
    await following.stop();
  });

  test("runs commands, and megabytes go both ways", async () => {
    expect(await kubectl.outcome(["exec", "far", "--", "sh", "-c", "echo out; echo err >&2; exit 7"])).toMatchObject({ stdout: "out\n", exitCode: 7 });
    const original = join(server.node.disk, "original"), copy = join(server.node.disk, "copy");
    writeFileSync(original, randomBytes(3_000_000));
    await kubectl("cp", original, "far:/tmp/copied");
    await kubectl("cp", "far:/tmp/copied", copy);
    expect(readFileSync(copy).equals(readFileSync(original))).toBe(true);
  });

  test("a client that reads nothing holds up nobody else", async () => {
    const environment = { KUBECONFIG: join(server.node.disk, "admin.yaml"), HOME: server.node.disk };
    const stuck = server.node.spawn(["sh", "-c", "kubectl exec far -- cat /dev/zero | sleep 60"], { logFile: join(server.node.disk, "stuck.log"), env: environment });
    await eventually(async () => expect(await kubectl("exec", "far", "--", "sh", "-c", "ps | grep -c '[c]at /dev/zero'")).toBe("1\n"), { interval: 100 });
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => kubectl("exec", "far", "--", "echo", `${i}`)));
    expect(answers).toEqual(answers.map((_, i) => `${i}\n`));
    stuck.kill("SIGKILL");
    await stuck.exited;
  });

  test("forwards ports", async () => {
    const forwarding = kubectl.start(["port-forward", "pod/web", ":80"]);
    const [, port] = await forwarding.until(/127\.0\.0\.1:(\d+) -> 80/);
    const fetched = await Promise.all(Array.from({ length: 8 }, () => server.node.run(["curl", "-sS", "--max-time", "20", `http://127.0.0.1:${port}/`])));
    expect(fetched).toEqual(fetched.map(() => "from the web\n"));
    await forwarding.stop();
  });

  test("is the way to its pods, which the server can't connect to either", async () => {
    const { podIP } = (await kubectl.get("pod", "web")).status;
    expect((await server.node.exec(["curl", "-sS", "--max-time", "1", `http://${podIP}/`])).exitCode).not.toBe(0);
    for (const path of ["pods/web", "pods/http:web:80", "services/web", "services/web:80"]) expect(await kubectl("get", "--raw", `/api/v1/namespaces/default/${path}/proxy/index.html`)).toBe("from the web\n");
  });

  test("serves its kubelet's paths", async () => {
    expect(await kubectl("get", "--raw", "/api/v1/nodes/agent-1/proxy/healthz")).toBe("ok");
    expect(JSON.parse(await kubectl("get", "--raw", "/api/v1/nodes/agent-1/proxy/stats/summary"))).toMatchObject({ node: { nodeName: "agent-1" } });
  });
});

test("the Lease is renewed without a request for it", async () => {
  const writes = await requests('resource="leases"');
  let last = await renewedAt();
  for (let renewal = 0; renewal < 2; renewal++) {
    last = await eventually(async () => {
      const next = await renewedAt();
      expect(next).not.toBe(last);
      return next;
    }, { interval: 500 });
  }
  // The reading of it above is counted as well.
  expect(await requests('resource="leases"', 'verb="PUT"')).toBe(0);
  expect(await requests('resource="leases"', 'verb="POST"')).toBeLessThanOrEqual(1);
  expect(writes).toBeGreaterThan(0);
});

test("a server that was killed is connected to again, and nothing is listed anew", async () => {
  await server.kill9();
  server.start();
  await cluster.untilApiReady();
  await eventually(async () => expect(await kubectl("exec", "far", "--", "echo", "again")).toBe("again\n"), { interval: 200 });
  // Its watches go on; nobody else has any over HTTP.
  await eventually(async () => expect(Number(/^apiserver_longrunning_requests (\d+)/m.exec(await kubectl("get", "--raw", "/metrics"))![1])).toBeGreaterThan(5), { interval: 200 });
  expect(await requests('resource="services"', 'verb="LIST"')).toBe(0);
  expect(await requests('resource="endpointslices"', 'verb="LIST"')).toBe(0);
});

test("a node whose cable was out is not ready after a while, and is soon after it is in again", async () => {
  agent.node.unplug();
  // Long before anybody has found out that it is gone, and no later than ten seconds from now.
  const { stderr } = await kubectl.outcome(["exec", "far", "--", "true"]);
  expect(stderr).toMatch(/error dialing backend: node \\?"agent-1\\?" does not answer/);
  const ready = async (): Promise<string> => (await kubectl.get("node", "agent-1")).status.conditions.find(({ type }: { type: string }) => type === "Ready").status as string;
  await eventually(async () => expect(await ready()).toBe("Unknown"), { timeout: 120_000, interval: 1000 });
  expect((await kubectl.outcome(["exec", "far", "--", "true"])).exitCode).not.toBe(0);
  agent.node.plug();
  await cluster.untilReady("agent-1");
  await eventually(async () => expect(await kubectl("exec", "far", "--", "echo", "back")).toBe("back\n"), { interval: 200 });
});

test("a node behind NAT is told of, and does what the API wants of it; nothing is said of one that is only closed", async () => {
  const hidden = await cluster.addAgent({ name: "hidden", machine: { segment: cluster.fabric.segment("home", { nat: true }).name } });
  await cluster.untilReady("hidden");
  await kubectl.apply(pod("behind", shell("sleep 1000"), { nodeName: "hidden" }));
  await kubectl("wait", "--for=condition=Ready", "pod/behind", "--timeout=120s");
  expect(await kubectl("exec", "behind", "--", "echo", "here")).toBe("here\n");
  await eventually(async () => expect(await kubectl("describe", "node", "hidden")).toMatch(/Warning +NodeNotReachable .*--node-ip/), { interval: 500 });
  expect(await kubectl("describe", "node", "agent-1")).not.toContain("NodeNotReachable");
  await kubectl("delete", "pod", "behind");
  await hidden.stop();
});

test("a node whose address is another connects from there", async () => {
  agent.node.changeAddress(99);
  await eventually(async () => expect((await kubectl.get("node", "agent-1")).status.addresses[0].address).toBe(agent.node.ip), { interval: 500 });
  await eventually(async () => expect(await kubectl("exec", "far", "--", "echo", "moved")).toBe("moved\n"), { interval: 200 });
});
