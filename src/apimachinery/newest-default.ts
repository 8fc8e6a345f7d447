import type { Frozen, KubeObject } from "./meta.ts";

/** Of classes marked as default the newest; of equally new ones the first by name. */
export function newestDefault<T extends KubeObject>(classes: readonly Frozen<T>[], annotations: readonly string[]): Frozen<T> | undefined {
  const metadataOf = (object: Frozen<T>): Frozen<KubeObject>["metadata"] => (object as Frozen<KubeObject>).metadata;
  const created = (object: Frozen<T>): number => Date.parse(metadataOf(object).creationTimestamp ?? "") || 0;
  return classes.filter((object) => annotations.some((key) => metadataOf(object).annotations?.[key] === "true"))
    .sort((a, b) => created(b) - created(a) || (metadataOf(a).name! < metadataOf(b).name! ? -1 : 1))[0];
}
