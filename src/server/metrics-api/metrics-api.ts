import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { formatQuantity } from "../../apimachinery/quantity.ts";
import { formatTime } from "../../apimachinery/time.ts";
import { nodes } from "../../apis/core/node.ts";
import { pods } from "../../apis/core/pod/pod.ts";
import type { Node, Pod } from "../../apis/generated/core/v1.ts";
import { nodemetrics, type NodeMetrics } from "../../apis/metrics/nodemetrics.ts";
import { podmetrics, type PodMetrics } from "../../apis/metrics/podmetrics.ts";
import { formatGoDuration } from "../../base/go-duration.ts";
import type { InformerFactory } from "../../client/informer.ts";
import type { Readers } from "../../registry/readers.ts";
import { parseSelection } from "../../registry/selection.ts";
import { NodeUses, type NodeUsesOptions } from "./node-uses.ts";
import type { NodeUse, PodUse, Use } from "./rates.ts";

export interface MetricsApiOptions extends NodeUsesOptions {
  informers: InformerFactory;
}

/** Nodes asked at the same time. */
const atOnce = 32;

/** The kinds of metrics.k8s.io, from the kubelets of the nodes that a question is about. Source: https://github.com/kubernetes-sigs/metrics-server (what is shown, and what is left out). */
export function metricsApi({ informers, clock, ...options }: MetricsApiOptions): Readers {
  const uses = new NodeUses({ clock, ...options });
  const nodeLister = informers.informer(nodes).lister, podLister = informers.informer(pods).lister;

  async function usesOf(names: readonly string[]): Promise<Map<string, NodeUse>> {
    uses.retain((name) => nodeLister.get(name) !== undefined);
    const found = new Map<string, NodeUse>(), waiting = [...new Set(names)];
    await Promise.all(Array.from({ length: atOnce }, async () => {
      for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
        const use = await uses.of(name);
        if (use) found.set(name, use);
      }
    }));
    return found;
  }

  const head = ({ metadata: { name, namespace, labels } }: Frozen<KubeObject>): KubeObject["metadata"] => ({ name, ...(namespace ? { namespace } : {}), creationTimestamp: formatTime(clock.now()), ...(labels ? { labels: { ...labels } } : {}) });

  async function nodeMetrics(of: readonly Frozen<Node>[]): Promise<NodeMetrics[]> {
    const found = await usesOf(of.map(({ metadata }) => metadata.name!));
    return of.flatMap((node) => {
      const use = found.get(node.metadata.name!);
      return use ? [{ ...kindOf(nodemetrics), metadata: head(node), timestamp: formatTime(use.at), window: formatGoDuration(use.windowMs), usage: usage(use.node) }] : [];
    });
  }

  async function podMetrics(of: readonly Frozen<Pod>[]): Promise<PodMetrics[]> {
    const running = of.filter(({ spec, status }) => spec.nodeName && status?.phase === "Running");
    const found = await usesOf(running.map(({ spec }) => spec.nodeName!));
    return running.flatMap((pod) => {
      const node = found.get(pod.spec.nodeName!), use = node?.pods.get(`${pod.metadata.namespace}/${pod.metadata.name}`);
      return use ? [{ ...kindOf(podmetrics), metadata: head(pod), timestamp: formatTime(node!.at), window: formatGoDuration(use.windowMs), containers: containersOf(use) }] : [];
    });
  }

  return {
    [`nodes.${nodemetrics.group}`]: {
      async get({ name = "" }) {
        const node = nodeLister.get(name);
        return node && (await nodeMetrics([node]))[0];
      },
      async list(asked) {
        const { matches } = parseSelection(nodes, asked);
        return nodeMetrics(nodeLister.list().filter(matches));
      },
    },
    [`pods.${podmetrics.group}`]: {
      async get({ namespace, name }) {
        const pod = podLister.get(`${namespace}/${name}`);
        return pod && (await podMetrics([pod]))[0];
      },
      async list(asked) {
        const { matches } = parseSelection(pods, asked);
        return podMetrics(podLister.list(asked.namespace).filter(matches));
      },
    },
  };
}

const kindOf = ({ group, version, kind }: { group: string; version: string; kind: string }): Pick<KubeObject, "apiVersion" | "kind"> => ({ apiVersion: `${group}/${version}`, kind });

const containersOf = ({ containers }: PodUse): PodMetrics["containers"] => containers.map(({ name, ...use }) => ({ name, usage: usage(use) }));

/** CPU to the billionth of a core, as metrics-server has it. */
const usage = ({ cpuCores, memoryBytes }: Use): Record<string, string> => ({
  cpu: formatQuantity({ nano: BigInt(Math.round(cpuCores * 1e9)), format: "DecimalSI" }),
  memory: formatQuantity({ nano: BigInt(Math.round(memoryBytes)) * 1_000_000_000n, format: "BinarySI" }),
});
