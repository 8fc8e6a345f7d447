import { parseGoDuration } from "../../base/go-duration.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { formatSelector, type Selector } from "../../apimachinery/selectors/labels.ts";
import type { CrossVersionObjectReference } from "../../apis/generated/autoscaling/v2.ts";
import type { ServedKinds } from "../../client/controller.ts";
import type { ExtensionApis, ExtensionRequest } from "../../client/extension-apis.ts";
import { cardOfKind, parseGroupVersion } from "../scales.ts";
import { milli, type PodMetrics } from "./pod-groups.ts";

/** Where metrics come from; amounts in thousandths. Every method throws an Error that says which API gave none, and why. */
export interface Metrics {
  /** What pods use of a resource; with a container's name, what that container does. */
  resource(resource: string, namespace: string, selector: Selector, container: string): Promise<PodMetrics>;
  /** A metric of each pod. */
  pods(metric: string, namespace: string, selector: Selector, metricSelector: Selector): Promise<PodMetrics>;
  /** A metric of one object. */
  object(metric: string, namespace: string, described: Frozen<CrossVersionObjectReference>, metricSelector: Selector): Promise<bigint>;
  /** All series of a metric from outside the cluster. */
  external(metric: string, namespace: string, metricSelector: Selector): Promise<bigint[]>;
}

const custom = "custom.metrics.k8s.io", customVersions = ["v1beta2", "v1beta1"];
/** What a custom metric was measured over, where it isn't said. */
const defaultWindow = 60_000;

interface PodUse { metadata?: { name?: string }; timestamp?: string; window?: string; containers?: { name?: string; usage?: Record<string, string> }[] }
/** In either version of the API: v1beta1 calls it `window`. */
interface MetricValue { describedObject?: { name?: string }; timestamp?: string; windowSeconds?: number; window?: number; value: string }

/** The APIs metrics.k8s.io, custom.metrics.k8s.io and external.metrics.k8s.io. Source: k8s.io/kubernetes/pkg/controller/podautoscaler/metrics and k8s.io/metrics/pkg/client. */
export function metricsOf(apis: ExtensionApis, kinds: ServedKinds): Metrics {
  const selecting = (selector: Selector, metricSelector?: Selector): Record<string, string> => Object.fromEntries(
    Object.entries({ labelSelector: formatSelector(selector), metricLabelSelector: formatSelector(metricSelector ?? []) }).filter(([, text]) => text !== ""));

  async function items<T>(api: string, request: ExtensionRequest): Promise<T[]> {
    let found: T[];
    try {
      found = (await apis.request(request) as { items?: T[] }).items ?? [];
    } catch (error) {
      throw unavailable(api, error);
    }
    if (found.length === 0) throw new Error(`no metrics returned from ${api} metrics API`);
    return found;
  }

  function customVersion(): string {
    const versions = apis.served().filter(({ group }) => group === custom).map(({ version }) => version);
    if (versions.length === 0) throw unavailable("custom", new Error(`no custom metrics API (${custom}) registered`));
    const known = versions.find((version) => customVersions.includes(version));
    if (!known) throw unavailable("custom", new Error("no known available metric versions found"));
    return known;
  }

  function resourceOf({ apiVersion, kind }: Frozen<CrossVersionObjectReference>): string {
    const groupVersion = parseGroupVersion(apiVersion), card = cardOfKind(kinds, groupVersion, kind);
    if (!card) throw unavailable("custom", new Error(`unable to map kind ${groupVersion.group ? `${kind}.${groupVersion.group}` : kind} to resource: no matches for kind ${JSON.stringify(kind)} in group ${JSON.stringify(groupVersion.group)}`));
    return card.group ? `${card.resource}.${card.group}` : card.resource;
  }

  return {
    async resource(resource, namespace, selector, container) {
      const found = await items<PodUse>("resource", { verb: "list", group: "metrics.k8s.io", version: "v1beta1", namespace, resource: "pods", query: selecting(selector) });
      const metrics: PodMetrics = new Map();
      for (const use of found) {
        const value = useOf(use, resource, container);
        if (value !== undefined) metrics.set(use.metadata?.name ?? "", { value, timestamp: timeOf(use.timestamp), window: use.window ? parseGoDuration(use.window) : 0 });
      }
      return metrics;
    },
    async pods(metric, namespace, selector, metricSelector) {
      const found = await items<MetricValue>("custom", { verb: "get", group: custom, version: customVersion(), namespace, resource: "pods", name: "*", subresource: metric, query: selecting(selector, metricSelector) });
      return new Map(found.map(({ describedObject, timestamp, windowSeconds, window = windowSeconds, value }) =>
        [describedObject?.name ?? "", { value: milli(value), timestamp: timeOf(timestamp), window: window === undefined ? defaultWindow : window * 1000 }]));
    },
    async object(metric, namespace, described, metricSelector) {
      const asked = { verb: "get" as const, group: custom, version: customVersion(), namespace, query: selecting([], metricSelector) };
      // Of a namespace it is always one's own.
      const ofNamespace = described.kind === "Namespace" && parseGroupVersion(described.apiVersion).group === "";
      const request = ofNamespace ? { ...asked, resource: "metrics", name: metric } : { ...asked, resource: resourceOf(described), name: described.name, subresource: metric };
      const found = await apis.request(request).then((list) => (list as { items?: MetricValue[] }).items ?? [], (error: unknown) => Promise.reject(unavailable("custom", error)));
      if (found.length !== 1) throw unavailable("custom", new Error(`the custom metrics API server returned ${found.length} results when we asked for exactly one`));
      return milli(found[0]!.value);
    },
    async external(metric, namespace, metricSelector) {
      const found = await items<MetricValue>("external", { verb: "get", group: "external.metrics.k8s.io", version: "v1beta1", namespace, resource: metric, query: selecting(metricSelector) });
      return found.map(({ value }) => milli(value));
    },
  };
}

const unavailable = (api: string, error: unknown): Error => new Error(`unable to fetch metrics from ${api} metrics API: ${(error as Error).message}`, { cause: error });

const timeOf = (text: string | undefined): number => (text ? Date.parse(text) : 0);

/** Undefined for a pod of which a container has no measure, or that hasn't the container. */
function useOf({ containers = [] }: PodUse, resource: string, container: string): bigint | undefined {
  const counted = container ? containers.filter(({ name }) => name === container).slice(0, 1) : containers;
  const uses = counted.map(({ usage }) => usage?.[resource]);
  return uses.length === 0 || uses.includes(undefined) ? undefined : uses.reduce((sum: bigint, use) => sum + milli(use!), 0n);
}
