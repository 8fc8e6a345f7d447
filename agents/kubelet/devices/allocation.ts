import { initContainers, isSidecar, type Container, type Pod } from "../pod/pod.ts";

/** How many devices of each of `managed` a container asks for. Requests of extended resources are their limits. */
export function wantedDevices(container: Container, managed: (resource: string) => boolean): [resource: string, count: number][] {
  return Object.entries(container.resources?.limits ?? {}).filter(([resource]) => managed(resource)).map(([resource, count]): [string, number] => [resource, Number(count)]).filter(([, count]) => count > 0);
}

/** Containers in the order they get their devices; what a plain init container had is free again for those after it. */
export const takersOf = (pod: Pod): { container: Container; handsOn: boolean }[] => [
  ...initContainers(pod).map((container) => ({ container, handsOn: !isSidecar(container) })),
  ...pod.spec.containers.map((container) => ({ container, handsOn: false })),
];

export interface Choice {
  resource: string;
  count: number;
  /** Undefined when nobody has ever offered the resource. */
  healthy: ReadonlySet<string> | undefined;
  /** Held by containers of other pods, or running beside this one. */
  inUse: ReadonlySet<string>;
  /** Held by earlier init containers of the pod, which will have ended. */
  reusable: ReadonlySet<string>;
}

/** What a container may choose from: first `reused`, all of which it gets, then `needed` of `available`. Throws an Error in Kubernetes' words when there isn't so much. Source: pkg/kubelet/cm/devicemanager. */
export function choicesFor({ resource, count, healthy, inUse, reusable }: Choice): { reused: string[]; available: string[]; needed: number } {
  if (!healthy) throw new Error(`cannot allocate unregistered device ${resource}`);
  if (healthy.size === 0) throw new Error(`no healthy devices present; cannot allocate unhealthy devices ${resource}`);
  const reused = [...reusable].filter((id) => healthy.has(id)).sort().slice(0, count);
  const available = [...healthy].filter((id) => !inUse.has(id) && !reusable.has(id)).sort(byNumber);
  const needed = count - reused.length;
  if (available.length < needed) throw new Error(`requested number of devices unavailable for ${resource}. Requested: ${needed}, Available: ${available.length}`);
  return { reused, available, needed };
}

/** What is preferred, so far as it may be had; the first ones for the rest. */
export function choose(available: readonly string[], needed: number, preferred: readonly string[]): string[] {
  const wished = preferred.filter((id) => available.includes(id));
  return [...new Set([...wished, ...available])].slice(0, needed);
}

const byNumber = (a: string, b: string): number => a.localeCompare(b, "en", { numeric: true });
