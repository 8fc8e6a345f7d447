import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";

const encoder = new TextEncoder();

/** What storage keeps of an object: its JSON without resourceVersion, which is the revision it is stored at. */
export function encode(object: KubeObject): Uint8Array {
  object.metadata.resourceVersion = undefined;
  return encoder.encode(JSON.stringify(object));
}

export function decode(value: Uint8Array, revision: number): KubeObject {
  const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString();
  return at(JSON.parse(text) as KubeObject, revision);
}

/** Stamps an object that nobody else holds yet. */
export function at(object: KubeObject, revision: number): KubeObject {
  object.metadata.resourceVersion = String(revision);
  return object;
}

/** The last state of a deleted object, at the revision of its deletion. */
export const deletedAt = (object: Frozen<KubeObject>, revision: number): Frozen<KubeObject> =>
  ({ ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } });

/**
 * JSON bytes by object. Two generations: when the young one has grown to `bytes` it becomes the old one and what nobody
 * asked for since is dropped, so the memory held is at most twice that, however many objects there are.
 */
export class JsonCache {
  #young = new Map<object, Buffer>();
  #old = new Map<object, Buffer>();
  #size = 0;

  constructor(private readonly bytes: number) {}

  of(object: Frozen<KubeObject>): Buffer {
    const known = this.#young.get(object);
    if (known) return known;
    const json = this.#old.get(object) ?? Buffer.from(JSON.stringify(object));
    this.#size += json.length;
    if (this.#size > this.bytes) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#size = json.length;
    }
    this.#young.set(object, json);
    return json;
  }

  /** Forgets an object that has been replaced. */
  drop(object: Frozen<KubeObject>): void {
    const known = this.#young.get(object);
    if (known) this.#size -= known.length;
    this.#young.delete(object);
    this.#old.delete(object);
  }
}
