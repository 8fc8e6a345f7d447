import { describe, expect, test } from "bun:test";
import { skiffForThisFile } from "../support/e2e.ts";
import { eventually } from "../support/eventually.ts";
import { outcomeOf } from "../support/running.ts";
import { pod, service, shell, webServer } from "../support/workloads.ts";

const skiff = await skiffForThisFile();
const { kubectl, network } = skiff;

const policy = (name: string, spec: object): object => ({ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { name }, spec });
/** Does a new connection from the pod get an answer? */
const reaches = async (from: string, host: string): Promise<boolean> => (await kubectl.outcome(["exec", from, "--", "timeout", "1", "wget", "-q", "-O-", `http://${host}/`])).exitCode === 0;
const tables = async (): Promise<string> => (await outcomeOf(network.inside(["nft", "list", "tables"]))).stdout;

await kubectl.apply(pod("web", webServer("echo hello > /www/index.html")), service("web"), pod("friend", shell("sleep 1000")), pod("stranger", shell("sleep 1000")));
await kubectl("wait", "--for=condition=Ready", "pod/web", "pod/friend", "pod/stranger", "--timeout=120s");
const webIp = (await kubectl.get("pod", "web")).status.podIP as string;

describe("NetworkPolicies", () => {
  test("decide who reaches a pod, by its address and by its Service; its probes and the DNS go on", async () => {
    await eventually(async () => expect(await reaches("stranger", webIp)).toBe(true));
    expect(await tables()).not.toContain("policies");
    await kubectl.apply(policy("web", { podSelector: { matchLabels: { app: "web" } }, ingress: [{ from: [{ podSelector: { matchLabels: { app: "friend" } } }], ports: [{ port: 80 }] }] }));
    await eventually(async () => expect(await reaches("stranger", webIp)).toBe(false));
    for (const host of [webIp, "web"]) await eventually(async () => expect(await reaches("friend", host)).toBe(true));
    expect(await reaches("stranger", "web")).toBe(false);
    expect((await kubectl.get("pod", "web")).status.conditions.find(({ type }: { type: string }) => type === "Ready").status).toBe("True");
    await kubectl.apply(policy("quiet", { podSelector: { matchLabels: { app: "stranger" } }, policyTypes: ["Egress"] }));
    await eventually(async () => expect(await reaches("stranger", network.outsideIp)).toBe(false));
    expect(await kubectl("exec", "stranger", "--", "nslookup", "web.default.svc.cluster.local")).toContain("10.43.");
  });

  test("hold for the first packet of a new pod, and let through what they allow at once", async () => {
    // A first packet that was dropped is sent again a second later, which the kernel counts: a pod may be slow, but not let in late.
    const repeated = `awk '$1 == "TcpExt:" { if (n) print $n; else for (n = 2; n < NF && $n != "TCPSynRetrans"; n++); }' /proc/net/netstat`;
    const trying = (seconds: number) => shell(`timeout ${seconds} wget -q -O- http://${webIp}/ && echo REACHED $(${repeated}) || echo DENIED; sleep 1000`);
    const names = Array.from({ length: 4 }, (_, i) => [`denied-${i}`, `allowed-${i}`] as const);
    await kubectl.apply(...names.flatMap(([denied, allowed]) => [pod(denied, trying(3), {}, { app: "stranger" }), pod(allowed, trying(30), {}, { app: "friend" })]));
    const said = (name: string): Promise<string> => eventually(async () => {
      const log = (await kubectl("logs", name)).match(/REACHED \d+|DENIED/)?.[0];
      if (!log) throw new Error(`${name} has said nothing yet`);
      return log;
    }, { interval: 200 });
    expect(await Promise.all(names.flat().map(said))).toEqual(names.flatMap(() => ["DENIED", "REACHED 0"]));
  });

  test("stay in force when Skiff is killed, and when it starts again", async () => {
    await skiff.kill9();
    // kubectl has no server now: from the node into the pod's network.
    const pid = (await outcomeOf(["sh", "-c", `for p in /proc/[0-9]*; do grep -qz '^HOSTNAME=stranger$' $p/environ 2>/dev/null && grep -q ${skiff.layout.instance} $p/cgroup && basename $p && break; done`])).stdout.trim();
    const fromStranger = async (): Promise<number> => (await outcomeOf(["nsenter", "-t", pid, "-n", "curl", "-s", "-o", "/dev/null", "--max-time", "1", `http://${webIp}/`])).exitCode;
    expect(pid).not.toBe("");
    expect(await fromStranger()).toBe(28);
    await skiff.start();
    expect(await fromStranger()).toBe(28);
    await eventually(async () => expect(await reaches("friend", webIp)).toBe(true));
    expect(await reaches("stranger", webIp)).toBe(false);
  });

  test("are no longer in force where they are switched off", async () => {
    await skiff.stop();
    await skiff.start({ flags: ["--disable-network-policy"] });
    await eventually(async () => expect(await reaches("stranger", webIp)).toBe(true));
    expect(await tables()).not.toContain("policies");
  });
});
