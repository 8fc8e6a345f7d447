import type { NodeConnector } from "../../apiserver/handlers/handler.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import { askKubelet } from "./ask-kubelet.ts";
import { usesBetween, type NodeUse } from "./rates.ts";
import { parseReading, type Reading } from "./reading.ts";

export interface NodeUsesOptions {
  nodes: NodeConnector;
  clock: Clock;
  log: Logger;
}

/** An answer is good for this long; a reading can be compared with one this much older. */
const freshMs = 5000, comparableMs = 120_000;
/** Between the two readings of a node that nobody has asked about lately. */
const firstWindowMs = 1000;
const patienceMs = 5000;

interface Known {
  latest: Reading;
  use: NodeUse;
}

/**
 * What nodes use, found out when somebody asks, and never in between: an idle cluster measures nothing. Whoever asks again and again, as an autoscaler
 * every fifteen seconds, has each reading compared with the one of the last question; the first to ask after a pause waits a second for a second reading.
 */
export class NodeUses {
  readonly #known = new Map<string, Known>();
  readonly #asking = new Map<string, Promise<NodeUse | undefined>>();
  constructor(private readonly options: NodeUsesOptions) {}

  /** Undefined for a node that does not tell. */
  of(nodeName: string): Promise<NodeUse | undefined> {
    let asking = this.#asking.get(nodeName);
    if (!asking) this.#asking.set(nodeName, asking = this.#find(nodeName).finally(() => this.#asking.delete(nodeName)));
    return asking;
  }

  /** Nodes that are no more need not be remembered. */
  retain(isThere: (nodeName: string) => boolean): void {
    for (const name of this.#known.keys()) if (!isThere(name)) this.#known.delete(name);
  }

  async #find(nodeName: string): Promise<NodeUse | undefined> {
    const { clock, log } = this.options;
    const known = this.#known.get(nodeName);
    const age = known ? clock.monotonic() - known.latest.asked : Infinity;
    if (age < freshMs) return known!.use;
    try {
      const first = age < comparableMs ? known!.latest : await this.#read(nodeName);
      if (first !== known?.latest) await clock.sleep(firstWindowMs);
      let latest = await this.#read(nodeName);
      let use = usesBetween(first, latest);
      if (!use) {
        // The node began anew meanwhile.
        await clock.sleep(firstWindowMs);
        const before = latest;
        latest = await this.#read(nodeName);
        use = usesBetween(before, latest);
      }
      if (use) this.#known.set(nodeName, { latest, use });
      return use;
    } catch (error) {
      log.debug("A node does not tell what it uses", { node: nodeName, error });
      return undefined;
    }
  }

  async #read(nodeName: string): Promise<Reading> {
    const { nodes, clock } = this.options;
    const kubelet = nodes.connect(nodeName);
    if (!kubelet) throw new Error("the node is not connected");
    const asked = clock.monotonic();
    const reading = parseReading(await askKubelet(kubelet, "/metrics/resource", AbortSignal.timeout(patienceMs)), asked);
    if (!reading) throw new Error("the kubelet has no figures");
    return reading;
  }
}
