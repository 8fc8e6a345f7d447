import type { AnyPlugin } from "./framework.ts";
import type { PluginSet } from "./profile.ts";
import type { SchedulerMetrics } from "./scheduler-metrics.ts";

/** The methods that are timed, with the names their extension points have in metrics. */
const timed = {
  preFilter: "PreFilter", filter: "Filter", postFilter: "PostFilter", preScore: "PreScore", score: "Score", normalize: "ScoreExtensionNormalize",
  reserve: "Reserve", unreserve: "Unreserve", permit: "Permit", preBindPreFlight: "PreBindPreFlight", preBind: "PreBind", bind: "Bind", postBind: "PostBind",
} as const;

/**
 * The same plugins, each call of which is timed. That costs more than many of the calls themselves: it is for a sample of the attempts
 * (kube-scheduler's pluginMetricsSamplePercent).
 */
export function instrumented(set: PluginSet, metrics: SchedulerMetrics): PluginSet {
  const copies = new Map<AnyPlugin, AnyPlugin>();
  const copyOf = (plugin: AnyPlugin): AnyPlugin => {
    let copy = copies.get(plugin);
    if (!copy) copies.set(plugin, (copy = instrument(plugin, metrics)));
    return copy;
  };
  const { score, ...others } = set;
  const lists = Object.fromEntries(Object.entries(others).map(([point, plugins]) => [point, plugins.map(copyOf)])) as unknown as Omit<PluginSet, "score">;
  return { ...lists, score: score.map(({ plugin, weight }) => ({ plugin: copyOf(plugin), weight })) } as PluginSet;
}

function instrument(plugin: AnyPlugin, metrics: SchedulerMetrics): AnyPlugin {
  const copy = Object.create(plugin) as Record<string, unknown>;
  for (const [method, point] of Object.entries(timed)) {
    const original = plugin[method as keyof typeof timed] as ((...args: unknown[]) => unknown) | undefined;
    if (!original) continue;
    copy[method] = (...args: unknown[]): unknown => {
      const since = performance.now();
      const observe = (result: unknown): void => metrics.pluginDuration.observe((performance.now() - since) / 1000, [plugin.name, point, codeOf(result)]);
      const result = original.apply(plugin, args);
      if (result instanceof Promise) result.then(observe, () => observe({ code: "Error" }));
      else observe(result);
      return result;
    };
  }
  return copy as unknown as AnyPlugin;
}

/** Of a status, or of what holds one. */
function codeOf(result: unknown): string {
  if (typeof result !== "object" || result === null) return "Success";
  const { code, skip, rejected, status } = result as { code?: string; skip?: boolean; rejected?: { code: string }; status?: { code: string } };
  return code ?? rejected?.code ?? status?.code ?? (skip ? "Skip" : "Success");
}
