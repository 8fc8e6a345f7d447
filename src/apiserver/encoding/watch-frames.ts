import type { AnyResource } from "../../apimachinery/resource.ts";
import type { KubeObject } from "../../apimachinery/meta.ts";
import type { StatusError } from "../../apimachinery/status.ts";
import { frameChunk } from "../../base/http.ts";
import type { WatchEvent } from "../../client/client.ts";
import type { Negotiated } from "./negotiation.ts";
import type { WatchEncoding } from "./encodings.ts";
import type { AnyObject } from "./object-json.ts";
import { partialMetadata } from "./partial-metadata.ts";
import { tableOfOne, type IncludeObject } from "./table.ts";

/** How one watcher wants its events. Watchers with equal `key` share frames. */
export interface FrameFormat {
  key: string;
  /** `previous` is what a MODIFIED object was before, where that is known. No bytes: this watcher is told nothing. */
  encode(type: string, object: AnyObject, previous?: AnyObject): Buffer;
}

/** A watcher's formats: a Table tells its columns once, with the first event. */
export interface WatchFormat {
  first: FrameFormat;
  next: FrameFormat;
  /** The least time between two bookmarks, in milliseconds. */
  bookmarkMs?: number;
}

export function watchFormat(card: AnyResource, { as, metaVersion, watch }: Negotiated & { watch: WatchEncoding }, includeObject: IncludeObject, now: () => number): WatchFormat {
  const name = `${card.group}/${card.version}/${card.resource};${watch.mediaType}`;
  const meta = (kind: string): { group: string; version: string; kind: string } => ({ group: "meta.k8s.io", version: metaVersion, kind });
  const same = (format: FrameFormat): WatchFormat => ({ first: format, next: format });
  if (as === "PartialObjectMetadata" || as === "PartialObjectMetadataList") return same({
    key: `${name};Partial;${metaVersion}`,
    encode: (type, object) => watch.valueEvent(type, meta("PartialObjectMetadata"), partialMetadata(object, metaVersion)),
  });
  if (as === "Table") {
    const tabular = (noHeaders: boolean): FrameFormat => ({
      key: `${name};Table;${metaVersion};${includeObject};${noHeaders}`,
      encode: (type, object) => watch.valueEvent(type, meta("Table"), tableOfOne(card, object, { includeObject, metaVersion, noHeaders, now: now() })),
    });
    return { first: tabular(false), next: tabular(true) };
  }
  return {
    ...same({ key: name, encode: (type, object, previous) => (type === "MODIFIED" && previous && watch.change ? watch.change(card, object, previous) : watch.event(type, card, object)) }),
    ...(watch.bookmarkMs ? { bookmarkMs: watch.bookmarkMs } : {}),
  };
}

/** Frames live this long, so that all watchers of an event find them; after that only the object's own bytes stay. Milliseconds. */
const frameLifetime = 1000;

export interface FrameCache {
  /** The event as one HTTP chunk, made once for all watchers that want it in this format; empty when they are told nothing. */
  frame(event: WatchEvent<KubeObject>, format: FrameFormat): Buffer;
}

export function createFrameCache(): FrameCache {
  let frames = new Map<object, Map<string, Buffer>>();
  let clearing: ReturnType<typeof setTimeout> | undefined;

  function shared(object: object): Map<string, Buffer> {
    let own = frames.get(object);
    if (!own) frames.set(object, own = new Map());
    clearing ??= setTimeout(() => {
      frames = new Map();
      clearing = undefined;
    }, frameLifetime).unref();
    return own;
  }

  return {
    frame(event, format) {
      const { type, object } = event;
      if (type === "BOOKMARK") return frameChunk(format.encode(type, object));
      const own = shared(object);
      const key = `${type};${format.key}`;
      let bytes = own.get(key);
      if (!bytes) {
        const encoded = format.encode(type, object, "previous" in event ? event.previous : undefined);
        own.set(key, bytes = encoded.length > 0 ? frameChunk(encoded) : encoded);
      }
      return bytes;
    },
  };
}

/** The event that ends a watch which can't go on, unframed. */
export const errorEvent = (watch: WatchEncoding, { status }: StatusError): Buffer => watch.valueEvent("ERROR", { group: "", version: "v1", kind: "Status" }, status);
