import { extensionPoints, type ExtensionPoint, type ProfileConfiguration } from "../framework.ts";
import type { KubeSchedulerProfile, PluginSet } from "./configuration.ts";
import { ConfigurationError } from "./decode.ts";
import { pointsOf, typeNameOf } from "./plugin-points.ts";

interface Enabled { name: string; weight?: number }
interface Merged { enabled: readonly Enabled[]; disabled: ReadonlySet<string> }

/**
 * What a profile runs at each point: what it enables there, in place of the defaults or after them, and what is enabled for all points.
 * Throws a `ConfigurationError` for plugins that don't exist, don't extend a point, or are enabled twice.
 * Source: kubernetes pkg/scheduler/apis/config/v1/default_plugins.go (mergePlugins) and framework/runtime (expandMultiPointPlugins).
 */
export function expandPlugins({ plugins = {} }: KubeSchedulerProfile, defaults: readonly Enabled[]): ProfileConfiguration["plugins"] {
  const multiPoint = mergeSets(defaults, plugins["multiPoint"]);
  for (const name of ["placementGenerate", "placementScore"] as const) if (plugins[name]?.enabled?.length) throw new ConfigurationError(`no plugin extends ${name}`);
  const expanded = Object.fromEntries(extensionPoints.map((point) => [point, expandPoint(point, mergeSets([], plugins[point]), multiPoint.enabled)])) as unknown as ProfileConfiguration["plugins"];
  return { ...expanded, score: weighted(expanded.score, [...mergeSets([], plugins["score"]).enabled, ...multiPoint.enabled]) };
}

/** A default that is enabled by name is configured anew in its place; others come after all defaults. */
function mergeSets(defaults: readonly Enabled[], { enabled = [], disabled = [] }: PluginSet = {}): Merged {
  const gone = new Set(disabled.map(({ name = "" }) => name));
  const wanted = enabled.map(({ name = "", weight }) => ({ name, ...(weight === undefined ? {} : { weight }) }));
  const replaced = new Set<Enabled>();
  const kept = gone.has("*") ? [] : defaults.filter(({ name }) => !gone.has(name)).map((one) => {
    const other = wanted.findLast(({ name }) => name === one.name);
    if (other) replaced.add(other);
    return other ?? one;
  });
  return { enabled: [...kept, ...wanted.filter((one) => !replaced.has(one))], disabled: gone };
}

function expandPoint(point: ExtensionPoint, { enabled, disabled }: Merged, multiPoint: readonly Enabled[]): readonly Enabled[] {
  const here = new Set<string>();
  for (const { name } of enabled) {
    if (!known(name, point).includes(point)) throw new ConfigurationError(`plugin ${JSON.stringify(name)} does not extend ${typeNameOf(point)} plugin`);
    addOnce(here, name, point);
  }
  if (disabled.has("*")) return enabled;
  const everywhere = new Set<string>();
  const overridden = new Set<string>();
  for (const { name } of multiPoint) {
    if (!known(name, "preFilter").includes(point) || disabled.has(name)) continue;
    if (here.has(name)) overridden.add(name);
    else addOnce(everywhere, name, point);
  }
  return [...enabled.filter(({ name }) => overridden.has(name)), ...[...everywhere].map((name) => ({ name })), ...enabled.filter(({ name }) => !overridden.has(name))];
}

function known(name: string, point: ExtensionPoint): readonly ExtensionPoint[] {
  const points = Object.hasOwn(pointsOf, name) ? pointsOf[name] : undefined;
  if (!points) throw new ConfigurationError(`${typeNameOf(point)} ${JSON.stringify(name)} does not exist`);
  return points;
}

function addOnce(names: Set<string>, name: string, point: ExtensionPoint): void {
  if (names.has(name)) throw new ConfigurationError(`plugin ${JSON.stringify(name)} already registered as ${JSON.stringify(typeNameOf(point))}`);
  names.add(name);
}

/** The first mention of a plugin says its weight: that of the point before that of all points. */
const weighted = (plugins: readonly Enabled[], mentions: readonly Enabled[]): readonly Enabled[] => plugins.map(({ name }) => ({ name, weight: mentions.find((one) => one.name === name)?.weight || 1 }));
