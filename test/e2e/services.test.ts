import { describe, expect, test } from "bun:test";
import { skiffForThisFile } from "../support/e2e.ts";
import { eventually } from "../support/eventually.ts";
import type { KubeJson } from "../support/kubectl.ts";
import { outcomeOf, output, startProgram } from "../support/running.ts";
import { deployment, pod, service, shell, webServer } from "../support/workloads.ts";

const skiff = await skiffForThisFile();
const { kubectl, network } = skiff;

const curl = (url: string, place = network.inside): Promise<string> => output(place(["curl", "-sS", "--max-time", "10", url])).then((text) => text.trim());
const fromPod = (url: string, name = "client"): Promise<string> => kubectl("exec", name, "--", "wget", "-q", "-O-", url).then((text) => text.trim());
const lookup = async (name: string): Promise<string[]> => [...(await kubectl("exec", "client", "--", "nslookup", name)).matchAll(/^Address(?: \d+)?:\s+(10\.4[23]\.\S+)$/gm)].map((match) => match[1]!).filter((address) => !address.startsWith("10.43.0.10")).sort();
const answersOf = async (ask: () => Promise<string>, times = 20): Promise<Set<string>> => {
  const answers = new Set<string>();
  for (let i = 0; i < times; i++) answers.add(await ask());
  return answers;
};

await kubectl.apply(deployment("web", 2, webServer("hostname > /www/index.html")), service("web", { ports: [{ name: "http", port: 80 }] }), pod("client", shell("sleep 1000")));
await kubectl("rollout", "status", "deployment/web", "--timeout=120s");
await kubectl("wait", "--for=condition=Ready", "pod/client", "--timeout=120s");
const webPods = (await kubectl.items("pods", "-l", "app=web"));
const names = new Set(webPods.map(({ metadata }) => metadata.name));
const clusterIp = (await kubectl.get("service", "web")).spec.clusterIP as string;

describe("a Service", () => {
  test("answers by ClusterIP and by name, from pods and from the node, with every pod", async () => {
    expect(clusterIp).toStartWith("10.43.");
    await eventually(async () => expect(await answersOf(() => curl(`http://${clusterIp}/`))).toEqual(names), { interval: 200 });
    await eventually(async () => expect(await answersOf(() => fromPod(`http://${clusterIp}/`))).toEqual(names), { interval: 200 });
    for (const name of ["web", "web.default", "web.default.svc", "web.default.svc.cluster.local"]) await eventually(async () => expect(names).toContain(await fromPod(`http://${name}/`)), { interval: 200 });
  });

  test("answers a pod that is one of its own", async () => {
    const [own] = webPods;
    expect(await answersOf(() => fromPod(`http://${clusterIp}/`, own.metadata.name), 12)).toEqual(names);
  });

  test("without pods refuses at once", async () => {
    await kubectl.apply(service("nobody"));
    const { spec } = await kubectl.get("service", "nobody");
    const refusals = await eventually(async () => {
      const outcome = await outcomeOf(network.inside(["curl", "-sS", "--max-time", "5", `http://${spec.clusterIP}/`]));
      expect(outcome.stderr).toMatch(/Connection refused|Failed to connect/);
      expect(outcome.stderr).not.toContain("timed out");
      return outcome;
    });
    expect(refusals.exitCode).toBe(7);
    const start = performance.now();
    expect((await kubectl.outcome(["exec", "client", "--", "wget", "-q", "-O-", `http://${spec.clusterIP}/`])).stderr).toContain("Connection refused");
    // Who is not answered gives up after two minutes.
    expect(performance.now() - start).toBeLessThan(30_000);
  });

  test("of type NodePort answers the world outside, which sees the node only", async () => {
    await kubectl.apply(service("outward", { type: "NodePort", selector: { app: "web" } }));
    const { nodePort } = (await kubectl.get("service", "outward")).spec.ports[0];
    expect(nodePort).toBeWithin(30000, 32768);
    await eventually(async () => expect(await answersOf(() => curl(`http://${network.ip}:${nodePort}/`, network.outside))).toEqual(names));
    expect(names).toContain(await curl(`http://${network.ip}:${nodePort}/`));
    expect(names).toContain(await fromPod(`http://${network.ip}:${nodePort}/`));
  });

  test("with session affinity stays with one pod", async () => {
    await kubectl.apply(service("sticky", { selector: { app: "web" }, sessionAffinity: "ClientIP" }));
    const { spec } = await kubectl.get("service", "sticky");
    await eventually(() => curl(`http://${spec.clusterIP}/`));
    expect((await answersOf(() => curl(`http://${spec.clusterIP}/`), 12)).size).toBe(1);
    expect((await answersOf(() => fromPod(`http://${spec.clusterIP}/`), 12)).size).toBe(1);
  });

  test("follows its pods: one that is not ready or goes gets nothing", async () => {
    await kubectl("scale", "deployment", "web", "--replicas=3");
    await kubectl("rollout", "status", "deployment/web", "--timeout=120s");
    await eventually(async () => expect((await answersOf(() => curl(`http://${clusterIp}/`), 30)).size).toBe(3));
    await kubectl("scale", "deployment", "web", "--replicas=1");
    await eventually(async () => expect((await kubectl.get("endpoints", "web")).subsets[0].addresses).toHaveLength(1));
    await eventually(async () => expect((await answersOf(() => curl(`http://${clusterIp}/`), 12)).size).toBe(1));
  });

  test("without a selector forwards to the endpoints it is given, by UDP too", async () => {
    const echo = startProgram(network.outside([process.execPath, "-e", `await Bun.udpSocket({ port: 5300, socket: { data(socket, bytes, port, address) { socket.send(bytes, port, address); } } }); console.log("listening")`]));
    try {
      await echo.until(/listening/);
      await kubectl.apply(
        service("beyond", { selector: undefined, ports: [{ name: "echo", port: 53, protocol: "UDP" }] }),
        { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", metadata: { name: "beyond-1", labels: { "kubernetes.io/service-name": "beyond" } }, addressType: "IPv4", ports: [{ name: "echo", port: 5300, protocol: "UDP" }], endpoints: [{ addresses: [network.outsideIp] }] },
      );
      const { spec } = await kubectl.get("service", "beyond");
      const ask = `const socket = await Bun.udpSocket({ connect: { hostname: "${spec.clusterIP}", port: 53 }, socket: { data(_, bytes) { console.log(bytes.toString()); process.exit(); } } }); setInterval(() => socket.send("ping"), 100);`;
      await eventually(async () => expect(await output(network.inside([process.execPath, "-e", ask]), { timeoutMs: 20_000 })).toBe("ping\n"), { interval: 100 });
    } finally {
      await echo.stop();
    }
  });

  test("of the API lets pods reach the server", async () => {
    expect((await kubectl.get("endpoints", "kubernetes")).subsets[0]).toMatchObject({ addresses: [{ ip: network.ip }], ports: [{ name: "https", port: 6443, protocol: "TCP" }] });
    const reached = await outcomeOf(network.inside(["curl", "-sSk", "--max-time", "10", "https://10.43.0.1/version"]));
    expect(JSON.parse(reached.stdout)).toMatchObject({ major: "1" });
  });
});

describe("DNS", () => {
  test("knows Services, headless ones by their pods, and pods with a host name in them", async () => {
    expect(await lookup("web.default.svc.cluster.local")).toEqual([clusterIp]);
    await kubectl.apply(
      service("peers", { clusterIP: "None", selector: { group: "peers" } }),
      ...[0, 1].map((i) => pod(`peer-${i}`, shell("sleep 1000"), { hostname: `peer-${i}`, subdomain: "peers" }, { group: "peers" })),
    );
    await kubectl("wait", "--for=condition=Ready", "pod/peer-0", "pod/peer-1", "--timeout=120s");
    const addresses = (await kubectl.items("pods", "-l", "group=peers")).map(({ status }) => status.podIP).sort();
    await eventually(async () => expect(await lookup("peers.default.svc.cluster.local")).toEqual(addresses), { interval: 200 });
    expect(await lookup("peer-1.peers.default.svc.cluster.local")).toEqual([(await kubectl.get("pod", "peer-1")).status.podIP]);
    expect((await kubectl("exec", "peer-0", "--", "hostname", "-f")).trim()).toBe("peer-0.peers.default.svc.cluster.local");
  });

  test("resolv.conf is what Kubernetes writes, and dnsPolicy is heeded", async () => {
    expect(await kubectl("exec", "client", "--", "cat", "/etc/resolv.conf")).toMatch(/^search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local.*\nnameserver 10\.43\.0\.10\noptions ndots:5\n$/);
    await kubectl.apply(pod("own-dns", shell("sleep 1000"), { dnsPolicy: "None", dnsConfig: { nameservers: ["192.0.2.53"], searches: ["example.org"], options: [{ name: "ndots", value: "2" }] }, hostAliases: [{ ip: "192.0.2.1", hostnames: ["one", "uno"] }] }));
    await kubectl("wait", "--for=condition=Ready", "pod/own-dns", "--timeout=120s");
    expect(await kubectl("exec", "own-dns", "--", "cat", "/etc/resolv.conf")).toBe("search example.org\nnameserver 192.0.2.53\noptions ndots:2\n");
    expect(await kubectl("exec", "own-dns", "--", "cat", "/etc/hosts")).toMatch(/^192\.0\.2\.1\tone\tuno$/m);
  });

  test("what does not exist is not there", async () => {
    const { exitCode, stdout, stderr } = await kubectl.outcome(["exec", "client", "--", "nslookup", "nothing.default.svc.cluster.local"]);
    expect(exitCode).not.toBe(0);
    expect(stdout + stderr).toContain("NXDOMAIN");
  });
});

describe("the pod network", () => {
  test("pods reach each other directly, and the outside with the node's address", async () => {
    // An earlier test may have scaled: a pod that is ending, or has only begun, refuses rightly.
    const isReady = ({ metadata, status }: KubeJson): boolean => !metadata.deletionTimestamp && status.conditions?.some((condition: KubeJson) => condition.type === "Ready" && condition.status === "True");
    const target = await eventually(async () => {
      const ready = (await kubectl.items("pods", "-l", "app=web")).find(isReady);
      if (!ready) throw new Error("no pod is ready");
      return ready;
    });
    expect(await fromPod(`http://${target.status.podIP}/`)).toBe(target.metadata.name);
    const listener = startProgram(network.outside([process.execPath, "-e", `Bun.listen({ hostname: "0.0.0.0", port: 9000, socket: { open(socket) { console.log("from", socket.remoteAddress); socket.end("welcome\\n"); }, data() {} } }); console.log("listening")`]));
    try {
      await listener.until(/listening/);
      expect(await kubectl("exec", "client", "--", "sh", "-c", `nc ${network.outsideIp} 9000 < /dev/null`)).toBe("welcome\n");
      expect(await listener.until(/from (\S+)/)).toHaveProperty("1", network.ip);
    } finally {
      await listener.stop();
    }
  });

  test("hostPort and hostNetwork", async () => {
    await kubectl.apply(pod("host-port", webServer("echo by host port > /www/index.html", { ports: [{ containerPort: 80, hostPort: 8088 }] })), pod("host-network", shell("mkdir /w; echo on the host > /w/index.html; httpd -f -p 8089 -h /w"), { hostNetwork: true }));
    await kubectl("wait", "--for=condition=Ready", "pod/host-port", "pod/host-network", "--timeout=120s");
    expect(await curl(`http://${network.ip}:8088/`, network.outside)).toBe("by host port");
    expect(await eventually(() => curl(`http://${network.ip}:8089/`, network.outside))).toBe("on the host");
    expect((await kubectl.get("pod", "host-network")).status.podIP).toBe(network.ip);
  });
});
