import type { Frozen } from "../../apimachinery/meta.ts";
import type { Node, Service } from "../../apis/generated/core/v1.ts";
import type { EventType } from "../../client/recorder.ts";
import { wantsTopologyHints } from "./hints.ts";
import type { SlicePlan } from "./plan.ts";
import { hintZones } from "./topology-hints.ts";
import { isOverloaded, zoneShares, type ZoneShares } from "./zone-shares.ts";

export interface HintsEvent {
  type: EventType;
  reason: "TopologyAwareHintsEnabled" | "TopologyAwareHintsDisabled";
  message: string;
}

/** Which services' endpoints are shared out among zones now, and by what shares. Source: TopologyCache of k8s.io/endpointslice. */
export class TopologyState {
  /** For each service that wants it, the endpoints of each zone by address family; none while they can't be shared out. */
  readonly #hints = new Map<string, Map<string, ReadonlyMap<string, number>>>();
  /** Worked out when it is asked for, after nodes have changed. */
  #shares: { of: ZoneShares | undefined } | undefined;
  constructor(private readonly nodes: () => readonly Frozen<Node>[]) {}

  /** Puts hints into a plan, or takes them out, and returns what to tell of it. */
  apply(key: string, service: Frozen<Service>, plan: SlicePlan): HintsEvent | undefined {
    const known = this.#hints.get(key);
    const tell = (type: EventType, reason: HintsEvent["reason"], text: string): HintsEvent => ({ type, reason, message: `${text}, addressType: ${plan.family}` });
    if (!wantsTopologyHints(service)) {
      const had = known !== undefined && known.size > 0;
      this.#hints.delete(key);
      return had ? tell("Warning", "TopologyAwareHintsDisabled", "Topology Aware Hints has been disabled") : undefined;
    }
    const outcome = hintZones(plan, this.#current());
    const families = known ?? new Map<string, ReadonlyMap<string, number>>();
    this.#hints.set(key, families);
    if ("disabled" in outcome) {
      families.delete(plan.family);
      return tell("Warning", "TopologyAwareHintsDisabled", outcome.disabled);
    }
    const isNew = families.size === 0;
    families.set(plan.family, outcome.hints);
    return isNew ? tell("Normal", "TopologyAwareHintsEnabled", "Topology Aware Hints has been enabled") : undefined;
  }

  forget(key: string): void {
    this.#hints.delete(key);
  }

  /** To be told of every change of a node's readiness or zone; returns the services whose endpoints are to be shared out anew. */
  nodesChanged(): string[] {
    this.#shares = undefined;
    if (this.#hints.size === 0) return [];
    return [...this.#hints].filter(([, families]) => families.size === 0 || [...families.values()].some((hints) => isOverloaded(hints, this.#current()))).map(([key]) => key);
  }

  #current(): ZoneShares | undefined {
    this.#shares ??= { of: zoneShares(this.nodes()) };
    return this.#shares.of;
  }
}

