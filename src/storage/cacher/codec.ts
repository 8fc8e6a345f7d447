import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";

/** What storage keeps of an object: its JSON without resourceVersion, which is the revision it is stored at. */
export const encode = (object: KubeObject): string => JSON.stringify({ ...object, metadata: { ...object.metadata, resourceVersion: undefined } });

export function decode(value: Uint8Array | string, revision: number): KubeObject {
  const text = typeof value === "string" ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString();
  const object = JSON.parse(text) as KubeObject;
  object.metadata.resourceVersion = String(revision);
  return object;
}

/** The last state of a deleted object, at the revision of its deletion. */
export const deletedAt = (object: Frozen<KubeObject>, revision: number): Frozen<KubeObject> =>
  ({ ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } });
