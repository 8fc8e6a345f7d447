import { Decoder, Encoder } from "cbor-x/index-no-eval";
import type { Frozen, KubeObject } from "../meta.ts";
import type { Change } from "./change.ts";

/**
 * Objects for agents behind thin links: CBOR with plain texts, without what no agent reads, and events of watches that carry what changed.
 * Between our own servers and agents only; everybody else has Kubernetes' own encodings.
 */
export const leanMediaType = "application/vnd.skiff.lean+cbor";
/** A watch: events one after the other, each behind its length. */
export const leanWatchMediaType = "application/vnd.skiff.lean+cbor-seq";

/** An event of a watch; `key` is `namespace/name`, or the name. */
export type LeanEvent =
  | { type: "ADDED" | "MODIFIED" | "BOOKMARK" | "ERROR"; object: object }
  /** Whoever has a version of `key` from `from` on, before `to`, has by this change the one at `to`. */
  | { type: "CHANGED"; key: string; from: number; to: number; change: Change }
  | { type: "DELETED"; key: string; to: number }
  /** All up to `to` has been told. */
  | { type: "REACHED"; to: number };

const types = ["ADDED", "MODIFIED", "BOOKMARK", "ERROR", "CHANGED", "DELETED", "REACHED"] as const;

const encoder = new Encoder({ useRecords: false, variableMapSize: true, tagUint8Array: false });
const decoder = new Decoder({ useRecords: false, mapsAsObjects: true });

/** A copy: the encoder's own buffer is used again. */
export const encodeLean = (value: unknown): Buffer => Buffer.from(encoder.encode(value));
export const decodeLean = (bytes: Uint8Array): unknown => decoder.decode(bytes) as unknown;

/** An object without what no agent looks at: who manages which field, and of nodes when their conditions were last confirmed, and their images. Not for writing back but by fields. */
export function leanOf<T extends Frozen<KubeObject>>(object: T, kind: string): T {
  const { managedFields, ...metadata } = object.metadata ?? {};
  const lean = managedFields === undefined ? { ...object } : { ...object, metadata };
  if (kind !== "Node") return lean as T;
  const { status } = lean as { status?: { conditions?: readonly { lastHeartbeatTime?: string }[]; images?: unknown } };
  if (!status) return lean as T;
  const { images: _images, conditions, ...rest } = status;
  return { ...lean, status: { ...rest, ...(conditions ? { conditions: conditions.map(({ lastHeartbeatTime: _heartbeat, ...condition }) => condition) } : {}) } } as T;
}

export function encodeLeanEvent(event: LeanEvent): Buffer {
  const { type, ...fields } = event;
  const item = encodeLean([types.indexOf(type), ...Object.values(inOrder(type, fields as Record<string, unknown>))]);
  const length: number[] = [];
  let rest = item.length;
  for (; rest > 127; rest >>>= 7) length.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([...length, rest]), item]);
}

const fieldsOf: Readonly<Record<LeanEvent["type"], readonly string[]>> = {
  ADDED: ["object"], MODIFIED: ["object"], BOOKMARK: ["object"], ERROR: ["object"], CHANGED: ["key", "from", "to", "change"], DELETED: ["key", "to"], REACHED: ["to"],
};

const inOrder = (type: LeanEvent["type"], fields: Record<string, unknown>): unknown[] => fieldsOf[type].map((name) => fields[name]);

/** Takes events out of pieces of any size. Throws a `RangeError` for what is no event. */
export class LeanEventReader {
  #rest: Buffer = Buffer.alloc(0);

  *read(piece: Uint8Array): Generator<LeanEvent> {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, piece]) : Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    let at = 0;
    try {
      for (let found = itemAt(bytes, at); found; found = itemAt(bytes, at)) {
        at = found.end;
        yield eventOf(bytes.subarray(found.start, found.end));
      }
    } finally {
      this.#rest = bytes.subarray(at);
    }
  }
}

function itemAt(bytes: Buffer, from: number): { start: number; end: number } | undefined {
  let length = 0, at = from;
  for (let factor = 1; at < bytes.length; factor *= 128) {
    const byte = bytes[at++]!;
    length += (byte & 127) * factor;
    if (byte < 128) return length <= bytes.length - at ? { start: at, end: at + length } : undefined;
    if (factor > 2 ** 28) throw new RangeError("an event without end");
  }
  return undefined;
}

function eventOf(bytes: Buffer): LeanEvent {
  let item: unknown;
  try {
    item = decodeLean(bytes);
  } catch (error) {
    throw new RangeError("an event that can't be read", { cause: error });
  }
  const [number, ...values] = Array.isArray(item) ? item as [number, ...unknown[]] : [];
  const type = types[number ?? -1];
  if (type === undefined || values.length !== fieldsOf[type].length) throw new RangeError("an event that is none");
  return Object.fromEntries([["type", type], ...fieldsOf[type].map((name, i) => [name, values[i]])]) as LeanEvent;
}
