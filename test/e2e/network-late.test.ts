import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { busyboxReference } from "../support/images.ts";
import type { KubeJson } from "../support/kubectl.ts";
import { startCluster } from "../support/node/cluster.ts";
import { untilKept } from "../support/node/kept.ts";
import { pod, shell } from "../support/workloads.ts";

setDefaultTimeout(240_000);

const addressesOf = (node: KubeJson): string[] => (node.status.addresses ?? []).filter(({ type }: KubeJson) => type === "InternalIP").map(({ address }: KubeJson) => address);

describe("machines whose network comes late", () => {
  const starting = startCluster({ server: { machine: { addresses: false } } });
  afterAll(async () => (await starting).dispose());

  test("a server without any address starts, runs pods, and tells its address when it has one", async () => {
    const { kubectl, server } = await starting;
    expect(addressesOf(await kubectl.get("node", "server"))).toEqual([]);
    await kubectl.apply(pod("early", shell("sleep 1000", { image: busyboxReference })));
    await kubectl("wait", "--for=condition=Ready", "pod/early", "--timeout=120s");
    const { containerStatuses: [before] } = (await kubectl.get("pod", "early")).status;
    server.node.setAddresses();
    await eventually(async () => {
      expect(addressesOf(await kubectl.get("node", "server"))).toEqual([server.node.ip]);
      expect((await kubectl.get("endpoints", "kubernetes")).subsets[0].addresses).toEqual([{ ip: server.node.ip }]);
      expect((await kubectl.get("pod", "early")).status).toMatchObject({ hostIP: server.node.ip, containerStatuses: [{ containerID: before.containerID }] });
    }, { interval: 100 });
  });

  test("agents without an address, or without a default route, wait and join as soon as they can", async () => {
    const cluster = await starting, { kubectl, fabric } = cluster;
    const nowhere = await cluster.addAgent({ name: "nowhere", machine: { addresses: false } });
    const routeless = await cluster.addAgent({ name: "routeless", machine: { defaultRoute: false } });
    await cluster.untilReady("routeless");
    expect(addressesOf(await kubectl.get("node", "routeless"))).toEqual([routeless.node.ip]);
    await eventually(() => expect(nowhere.log()).toMatch(/server|reach/i), { interval: 100 });
    expect(nowhere.exitCode).toBeNull();
    nowhere.node.setAddresses();
    await cluster.untilReady("nowhere");
    expect(addressesOf(await kubectl.get("node", "nowhere"))).toEqual([nowhere.node.ip]);
    await kubectl.apply(pod("there", shell("sleep 1000"), { nodeName: "nowhere" }));
    await nowhere.untilImported(busyboxReference);
    await kubectl("wait", "--for=condition=Ready", "pod/there", "--timeout=120s");
    await eventually(async () => expect(await kubectl("exec", "early", "--", "ping", "-c", "1", "-W", "3", (await kubectl.get("pod", "there")).status.podIP)).toContain("1 packets received"), { interval: 200 });
    expect(fabric.nodes.map(({ name }) => name)).toEqual(["server", "nowhere", "routeless"]);
  });

  test("a joined agent that boots without an address runs its pods, and is itself again when the network comes", async () => {
    const cluster = await starting, { kubectl } = cluster, agent = cluster.member("nowhere");
    await untilKept(agent, (await kubectl.get("pod", "there")).metadata.uid);
    await agent.node.powerCut();
    await agent.boot();
    await eventually(async () => expect((await agent.node.exec(["sh", "-c", "ps -e -o args | grep -c '[s]leep 1000'"])).stdout.trim()).toBe("1"), { interval: 200 }).catch((error: unknown) => { throw new Error(agent.log(40), { cause: error }); });
    expect(agent.exitCode).toBeNull();
    agent.node.setAddresses();
    await cluster.untilReady("nowhere");
    await eventually(async () => {
      expect((await kubectl.get("pod", "there")).status.containerStatuses[0]).toMatchObject({ ready: true, restartCount: 1 });
      expect(await kubectl("exec", "early", "--", "ping", "-c", "1", "-W", "3", (await kubectl.get("pod", "there")).status.podIP)).toContain("1 packets received");
    }, { interval: 200 });
  });
});
