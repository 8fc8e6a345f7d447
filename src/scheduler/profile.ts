import type { EventInterest } from "./cluster-events.ts";
import { extensionPoints, type AnyPlugin, type ExtensionPoint, type Handle, type PluginFactory, type ProfileConfiguration } from "./framework.ts";

export interface WeightedPlugin {
  readonly plugin: AnyPlugin;
  readonly weight: number;
}

/** Plugins by extension point, in the order in which they run. */
export type PluginSet = Readonly<Record<Exclude<ExtensionPoint, "score">, readonly AnyPlugin[]>> & { readonly score: readonly WeightedPlugin[] };

/** One of the schedulers in the process, for pods with its schedulerName. */
export interface Profile {
  readonly name: string;
  readonly plugins: PluginSet;
  /** Undefined leaves it to the whole scheduler; 0 is by the size of the cluster. */
  readonly percentageOfNodesToScore: number | undefined;
  /** What each plugin waits for after a rejection; undefined when any change may help. */
  readonly interests: ReadonlyMap<string, readonly EventInterest[] | undefined>;
}

/** Makes the plugins a profile enables, once each. */
export function createProfile({ schedulerName, plugins, pluginArgs, percentageOfNodesToScore }: ProfileConfiguration, registry: Readonly<Record<string, PluginFactory>>, handle: Handle): Profile {
  const instances = new Map<string, AnyPlugin>();
  for (const point of extensionPoints) {
    for (const { name } of plugins[point]) {
      if (instances.has(name)) continue;
      const factory = Object.hasOwn(registry, name) ? registry[name] : undefined;
      if (!factory) throw new Error(`${name} does not exist`);
      instances.set(name, factory(pluginArgs[name], handle));
    }
  }
  const set = setOf(plugins, instances);
  if (set.queueSort.length !== 1) throw new Error(`profile ${schedulerName} must have exactly one queueSort plugin, has ${set.queueSort.length}`);
  if (set.bind.length === 0) throw new Error(`profile ${schedulerName} must have at least one bind plugin`);
  return { name: schedulerName, plugins: set, percentageOfNodesToScore, interests: new Map([...instances].map(([name, plugin]) => [name, plugin.events?.()])) };
}

/** Each plugin at each point where it is enabled and has something to do. */
function setOf(enabled: ProfileConfiguration["plugins"], instances: ReadonlyMap<string, AnyPlugin>): PluginSet {
  const at = (point: ExtensionPoint): WeightedPlugin[] => enabled[point].map(({ name, weight = 1 }) => ({ plugin: instances.get(name)!, weight })).filter(({ plugin }) => plugin[point] !== undefined || (point === "reserve" && plugin.unreserve !== undefined));
  return Object.fromEntries(extensionPoints.map((point) => [point, point === "score" ? at(point) : at(point).map(({ plugin }) => plugin)])) as unknown as PluginSet;
}
