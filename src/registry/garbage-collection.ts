import type { AnyResource } from "../apimachinery/resource.ts";
import type { DeleteOptions } from "../apis/generated/meta/v1.ts";

/** Finalizers by which a deletion tells the garbage collector what to do with dependents. */
export const orphanFinalizer = "orphan";
export const foregroundFinalizer = "foregroundDeletion";

/**
 * The finalizers an object has once its deletion was asked for: of the collector's two, the one that the options, else the object,
 * else the kind's default asks for. Returns an equal list when nothing changes.
 */
export function finalizersForDeletion(card: AnyResource, finalizers: readonly string[], options: DeleteOptions): string[] {
  const policy = propagation(card, finalizers, options);
  const wanted = policy === "Orphan" ? orphanFinalizer : policy === "Foreground" ? foregroundFinalizer : undefined;
  const kept = finalizers.filter((name) => (name !== orphanFinalizer && name !== foregroundFinalizer) || name === wanted);
  return wanted && !kept.includes(wanted) ? [...kept, wanted] : kept;
}

function propagation(card: AnyResource, finalizers: readonly string[], { orphanDependents, propagationPolicy }: DeleteOptions): string {
  if (orphanDependents !== undefined) return orphanDependents ? "Orphan" : "Background";
  if (propagationPolicy) return propagationPolicy;
  if (finalizers.includes(orphanFinalizer)) return "Orphan";
  if (finalizers.includes(foregroundFinalizer)) return "Foreground";
  return card.strategy.defaultPropagation ?? "Background";
}
