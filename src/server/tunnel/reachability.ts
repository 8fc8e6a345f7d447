import { formatAddress, parseAddress, unmapped } from "../../base/ip.ts";
import type { Node } from "../../apis/generated/core/v1.ts";
import type { Clock } from "../../base/clock.ts";
import { logger } from "../../base/log.ts";
import { dialTcp } from "../../base/stream/dial.ts";
import type { Lister } from "../../client/informer.ts";
import type { EventRecorder } from "../../client/recorder.ts";

export interface ReachabilityOptions {
  nodes: Lister<Node>;
  recorder: EventRecorder;
  clock: Clock;
  /** Rejects when nothing takes the connection. */
  dial?(host: string, port: number): Promise<void>;
}

/** A node that joins tells its addresses only after it has connected. Milliseconds. */
const settleMs = 15_000;
const dialMs = 5_000;

const log = logger("tunnel");

/**
 * Says so when a node seems to be behind NAT: its connection comes from an address that it doesn't have, and at its own nothing answers. The server reaches
 * such a node through its tunnel, but other nodes have no way to its pods, which nothing else would tell. To be called at each connection of a node; the
 * same finding is told once.
 */
export function createReachability({ nodes, recorder, clock, dial = connects }: ReachabilityOptions): (nodeName: string, from: string) => void {
  const told = new Map<string, string>();

  async function look(nodeName: string, from: string): Promise<void> {
    await clock.sleep(settleMs);
    const node = nodes.get(nodeName), { addresses = [], daemonEndpoints } = node?.status ?? {};
    const own = addresses.find(({ type }) => type === "InternalIP")?.address, port = daemonEndpoints?.kubeletEndpoint?.Port;
    if (!node || !own || !port) return;
    const known = addresses.some(({ address }) => same(address, from)) || await dial(own, port).then(() => true, () => false);
    const finding = known ? "" : `${own} ${from}`;
    if (finding === (told.get(nodeName) ?? "")) return;
    if (known) return void told.delete(nodeName);
    told.set(nodeName, finding);
    const message = `The node says that its address is ${own}, but it connects from ${from}, and nothing answers the server at ${own}:${port}: it seems to be behind NAT or a firewall. The API reaches it through its tunnel; pods of other nodes can't reach its pods, nor they those of others. Start its agent with --node-ip and an address at which the other nodes reach it, such as one of a VPN`;
    log.warn("Other nodes can't reach this one", { node: nodeName, address: own, from, remedy: "start its agent with --node-ip and an address at which the others reach it" });
    recorder.event(node, "Warning", "NodeNotReachable", message);
  }

  return (nodeName, from) => void look(nodeName, unmapped(from)).catch((error: unknown) => log.debug("Whether a node can be reached was not found out", { node: nodeName, error }));
}

const same = (a: string, b: string): boolean => canonical(a) === canonical(b);

function canonical(text: string): string {
  const address = parseAddress(text);
  return address ? formatAddress(address) : text;
}

async function connects(hostname: string, port: number): Promise<void> {
  (await dialTcp({ hostname, port, timeoutMs: dialMs })).destroy();
}
