import type { RuntimeContainer, RuntimePod } from "../runtime/runtime-status.ts";

/** What a pod no longer needs: dead containers but the last of each name (its logs are `--previous`), and dead sandboxes without containers. */
export function prunable(pod: RuntimePod): { containers: readonly RuntimeContainer[]; sandboxes: readonly string[] } {
  const seen = new Map<string, number>();
  const containers: RuntimeContainer[] = [];
  for (const container of pod.containers) {
    const newer = seen.get(container.name) ?? 0;
    seen.set(container.name, newer + 1);
    // The newest is the current one; of those before it the last is kept.
    if (newer >= 2 && container.state !== "running") containers.push(container);
  }
  const gone = new Set(containers.map(({ id }) => id));
  const inUse = new Set(pod.containers.filter(({ id }) => !gone.has(id)).map(({ sandboxId }) => sandboxId));
  const sandboxes = pod.sandboxes.slice(1).filter(({ id, ready }) => !ready && !inUse.has(id)).map(({ id }) => id);
  return { containers, sandboxes };
}
