import { failed, messageOf, type AnyPlugin, type FilterCycle, type Nominator, type Status } from "./framework.ts";
import type { NodeInfo } from "./node-info.ts";
import type { PodInfo } from "./pod-info.ts";

interface Active {
  readonly plugin: AnyPlugin;
  readonly state: unknown;
}

/** The filters that have something to say of a pod, each with what its preFilter worked out. */
export class Filters implements FilterCycle {
  readonly #pod: PodInfo;
  readonly #active: readonly Active[];
  readonly #nominator: Nominator;
  /** The plugin whose status `filter` returned last. */
  rejector = "";

  constructor(pod: PodInfo, active: readonly Active[], nominator: Nominator) {
    this.#pod = pod;
    this.#active = active;
    this.#nominator = nominator;
  }

  /**
   * With nominated pods first, because they may need what the pod wants; then without, because the pod may need what they bring, and they
   * may never come. Source: kubernetes pkg/scheduler/framework/runtime (RunFilterPluginsWithNominatedPods).
   */
  filter(node: NodeInfo): Status | undefined {
    return (this.#nominator.size > 0 ? this.#withNominated(node) : undefined) ?? this.#run(node);
  }

  clone(): Filters {
    return new Filters(this.#pod, this.#active.map(({ plugin, state }) => ({ plugin, state: plugin.preFilterExtensions && state !== undefined ? plugin.preFilterExtensions.clone(state) : state })), this.#nominator);
  }

  addPod(added: PodInfo, node: NodeInfo): void {
    for (const { plugin, state } of this.#active) plugin.preFilterExtensions?.addPod(this.#pod, added, node, state);
  }

  removePod(removed: PodInfo, node: NodeInfo): void {
    for (const { plugin, state } of this.#active) plugin.preFilterExtensions?.removePod(this.#pod, removed, node, state);
  }

  #run(node: NodeInfo): Status | undefined {
    let running: AnyPlugin | undefined;
    try {
      for (const { plugin, state } of this.#active) {
        running = plugin;
        const status = plugin.filter!(this.#pod, node, state);
        if (status === undefined || status.code === "Success") continue;
        this.rejector = plugin.name;
        return status;
      }
      return undefined;
    } catch (error) {
      throw new Error(`running ${JSON.stringify(running!.name)} filter plugin: ${messageOf(failed(error))}`, { cause: error });
    }
  }

  #withNominated(node: NodeInfo): Status | undefined {
    const others = this.#nominator.on(node.name).filter(({ uid, priority }) => uid !== this.#pod.uid && priority >= this.#pod.priority);
    if (others.length === 0) return undefined;
    const copy = node.clone();
    const filters = this.clone();
    for (const other of others) {
      copy.add(other);
      filters.addPod(other, copy);
    }
    const status = filters.#run(copy);
    if (status) this.rejector = filters.rejector;
    return status;
  }
}
