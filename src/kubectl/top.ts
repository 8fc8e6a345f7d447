import { addQuantities, milliValue, parseQuantity, value, type Quantity } from "../apimachinery/quantity.ts";
import type { Node } from "../apis/generated/core/v1.ts";
import { defineCommand, defineGroup } from "./command.ts";
import { KubectlError } from "./errors.ts";
import { bool, text } from "./flags.ts";
import type { Session } from "./session.ts";
import { aligned } from "./table.ts";
import { selectionFlags } from "./targets.ts";

interface Usage { cpu?: string; memory?: string }
interface NodeMetrics { metadata: { name: string }; usage: Usage }
interface PodMetrics { metadata: { name: string; namespace: string }; containers: { name: string; usage: Usage }[] }

const root = "/apis/metrics.k8s.io/v1beta1";

async function read<T>(session: Session, path: string, name: string | undefined, query: { labelSelector?: string; fieldSelector?: string }): Promise<T[]> {
  if (!(await session.discovery.resources()).some(({ group }) => group === "metrics.k8s.io")) throw new KubectlError("Metrics API not available");
  return name ? [await session.api.json<T>(`${path}/${name}`)] : (await session.api.json<{ items: T[] }>(path, { query })).items;
}

const zero = parseQuantity("0");
const cpuText = (cpu: Quantity | string): string => `${milliValue(cpu)}m`;
const memoryText = (memory: Quantity | string): string => `${Math.floor(value(memory) / 1024 / 1024)}Mi`;

const flags = { ...selectionFlags, sortBy: text("If non-empty, sort the list using specified field. The field can be either 'cpu' or 'memory'."), noHeaders: bool("If present, print output without headers"), sum: bool("Print the sum of the resource usage") } as const;

interface Row { cells: string[]; cpu: number; memory: number; key: string }

function rowsText(header: readonly string[], rows: readonly Row[], { sortBy, noHeaders }: { sortBy: string; noHeaders: boolean }): string {
  if (sortBy && sortBy !== "cpu" && sortBy !== "memory") throw new KubectlError("--sort-by accepts only cpu or memory");
  const ordered = rows.toSorted((a, b) => (sortBy === "cpu" ? b.cpu - a.cpu : sortBy === "memory" ? b.memory - a.memory : a.key < b.key ? -1 : 1));
  return aligned([...(noHeaders ? [] : [[...header]]), ...ordered.map(({ cells }) => cells)]);
}

const topNode = defineCommand({
  name: "node", aliases: ["nodes", "no"], usage: "node [NAME | -l label] [flags]", summary: "Display resource (CPU/memory) usage of nodes", flags: { ...flags, showCapacity: bool("Print node resources based on Capacity instead of Allocatable(default) of the nodes.") },
  async run({ args, flags: given, connect }) {
    const session = await connect();
    const metrics = await read<NodeMetrics>(session, `${root}/nodes`, args[0], { labelSelector: given.selector });
    if (metrics.length === 0) throw new KubectlError("metrics not available yet");
    const { items } = await session.api.json<{ items: Node[] }>("/api/v1/nodes", { query: { labelSelector: given.selector } });
    const rows = metrics.map(({ metadata: { name }, usage: { cpu = "0", memory = "0" } }): Row => {
      const status = items.find((node) => node.metadata?.name === name)?.status, whole = given.showCapacity ? status?.capacity : status?.allocatable;
      const share = (used: number, all: number | undefined): string => (all ? `${Math.floor((used / all) * 100)}%` : "<unknown>");
      return { key: name, cpu: milliValue(cpu), memory: value(memory), cells: [name, cpuText(cpu), share(milliValue(cpu), whole?.["cpu"] === undefined ? undefined : milliValue(whole["cpu"])), memoryText(memory), share(value(memory), whole?.["memory"] === undefined ? undefined : value(whole["memory"]))] };
    });
    session.out(rowsText(["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"], rows, given));
  },
});

const topPod = defineCommand({
  name: "pod", aliases: ["pods", "po"], usage: "pod [NAME | -l label] [flags]", summary: "Display resource (CPU/memory) usage of pods", flags: { ...flags, containers: bool("If present, print usage of containers within a pod.") },
  async run({ args, flags: given, connect }) {
    const session = await connect();
    const metrics = await read<PodMetrics>(session, given.allNamespaces ? `${root}/pods` : `${root}/namespaces/${session.namespace}/pods`, args[0], { labelSelector: given.selector, fieldSelector: given.fieldSelector });
    if (metrics.length === 0) return session.err(given.allNamespaces ? "No resources found\n" : `No resources found in ${session.namespace} namespace.\n`);
    const total = (containers: readonly { usage: Usage }[], of: keyof Usage): Quantity => containers.reduce((sum, { usage }) => addQuantities(sum, usage[of] ?? "0"), zero);
    const rows = metrics.flatMap(({ metadata: { name, namespace }, containers }) => (given.containers ? containers.map((one) => ({ shown: [name, one.name], parts: [one] })) : [{ shown: [name], parts: containers }]).map(({ shown, parts }): Row => {
      const cpu = total(parts, "cpu"), memory = total(parts, "memory");
      return { key: `${namespace}/${shown.join("/")}`, cpu: milliValue(cpu), memory: value(memory), cells: [...(given.allNamespaces ? [namespace] : []), ...shown, cpuText(cpu), memoryText(memory)] };
    }));
    session.out(rowsText([...(given.allNamespaces ? ["NAMESPACE"] : []), ...(given.containers ? ["POD"] : []), "NAME", "CPU(cores)", "MEMORY(bytes)"], rows, given));
  },
});

export const topCommand = defineGroup({ name: "top", summary: "Display resource (CPU/memory) usage", subcommands: [topNode, topPod] });
