export type ZoneState = "Initial" | "Normal" | "PartialDisruption" | "FullDisruption";

/** Kubernetes' --node-eviction-rate and --secondary-node-eviction-rate, in nodes a second. */
const rate = 0.1, secondaryRate = 0.01;
/** --large-cluster-size-threshold: smaller zones that are disrupted are left alone. */
const largeZone = 50;
/** --unhealthy-zone-threshold. */
const unhealthyPart = 0.55;

/** What is known of a node. */
export interface ZonedNode {
  zone: string;
  ready: boolean;
  /** False for nodes that don't count for their zone's state. */
  counts: boolean;
}

interface Zone {
  state: ZoneState;
  ready: number;
  notReady: number;
  /** Nodes a second whose pods are evicted. */
  rate: number;
  /** When the last one was. */
  last: number;
  /** Nodes that wait for it, in order. */
  waiting: Set<string>;
}

/** The state of a zone with so many nodes. Source: ComputeZoneState. */
export function zoneState(ready: number, notReady: number): ZoneState {
  if (ready === 0 && notReady > 0) return "FullDisruption";
  return notReady > 2 && notReady / (ready + notReady) >= unhealthyPart ? "PartialDisruption" : "Normal";
}

function rateFor(state: ZoneState, size: number): number {
  if (state !== "PartialDisruption") return rate;
  return size > largeZone ? secondaryRate : 0;
}

/**
 * How fast nodes that don't answer may lose their pods. Within a zone it is one in ten seconds; where most don't answer, the network is
 * more likely to blame than they: then few or none; and when nobody in the whole cluster answers, it is us who can't hear, and none at
 * all. Times are in milliseconds that pass. Source: kubernetes pkg/controller/nodelifecycle.
 */
export class Zones {
  readonly #zones = new Map<string, Zone>();
  readonly #nodes = new Map<string, ZonedNode>();
  /** No node answers: nothing is evicted. */
  #stopped = false;

  get stopped(): boolean {
    return this.#stopped;
  }

  stateOf(zone: string): ZoneState | undefined {
    return this.#zones.get(zone)?.state;
  }

  /** Takes note of a node, or with `undefined` that it went; returns whether zones are to be evaluated again. */
  track(name: string, node: ZonedNode | undefined): boolean {
    const old = this.#nodes.get(name);
    if (old && node && old.zone === node.zone && old.ready === node.ready && old.counts === node.counts) return false;
    if (old) {
      this.#count(old, -1);
      if (node?.zone !== old.zone) this.#zones.get(old.zone)!.waiting.delete(name);
    }
    if (node) {
      this.#nodes.set(name, node);
      this.#count(node, 1);
    } else this.#nodes.delete(name);
    return true;
  }

  /** Brings states and rates up to date. Returns the nodes for whom something changed, and whether somebody answers again after nobody did. */
  evaluate(now: number): { wake: readonly string[]; resumed: boolean } {
    for (const [name, zone] of this.#zones) if (zone.ready + zone.notReady === 0 && zone.waiting.size === 0) this.#zones.delete(name);
    const zones = [...this.#zones.values()].filter((zone) => zone.ready + zone.notReady > 0).map((zone) => ({ zone, state: zoneState(zone.ready, zone.notReady) }));
    const wasStopped = this.#stopped;
    this.#stopped = zones.length > 0 && zones.every(({ state }) => state === "FullDisruption");
    const wake = new Set<string>(wasStopped === this.#stopped ? [] : this.#nodes.keys());
    for (const { zone, state } of zones) {
      const allowed = this.#stopped ? 0 : rateFor(state, zone.ready + zone.notReady);
      zone.state = state;
      if (setRate(zone, allowed, now)) for (const name of zone.waiting) wake.add(name);
    }
    return { wake: [...wake], resumed: wasStopped && !this.#stopped };
  }

  /**
   * Queues a node whose pods are to be evicted; returns in how many milliseconds it is its turn, as far as is known now: 0 for at once,
   * Infinity for not before `evaluate` names it. When the turn was used, `taken` is to be called.
   */
  admit(name: string, now: number): number {
    const zone = this.#zoneOf(name);
    if (!zone) return Infinity;
    zone.waiting.add(name);
    if (zone.rate === 0) return Infinity;
    const interval = 1000 / zone.rate;
    return Math.max(0, Math.max(0, zone.last + interval - now) + [...zone.waiting].indexOf(name) * interval);
  }

  taken(name: string, now: number): void {
    const zone = this.#zoneOf(name);
    if (zone?.waiting.delete(name)) zone.last = now;
  }

  /** The node needs no turn any more. */
  dismiss(name: string): void {
    this.#zoneOf(name)?.waiting.delete(name);
  }

  #zoneOf(name: string): Zone | undefined {
    const node = this.#nodes.get(name);
    return node && this.#zones.get(node.zone);
  }

  #count({ zone: name, ready, counts }: ZonedNode, by: number): void {
    const zone = this.#zones.get(name) ?? { state: "Initial", ready: 0, notReady: 0, rate, last: -Infinity, waiting: new Set() };
    this.#zones.set(name, zone);
    if (!counts) return;
    if (ready) zone.ready += by;
    else zone.notReady += by;
  }
}

/** Whoever waits when the rate changes waits as if the last one had been now. */
function setRate(zone: Zone, wanted: number, now: number): boolean {
  if (zone.rate === wanted) return false;
  if (zone.rate === 0 || now < zone.last + 1000 / zone.rate) zone.last = now;
  zone.rate = wanted;
  return true;
}
