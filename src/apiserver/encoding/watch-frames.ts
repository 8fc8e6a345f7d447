import type { AnyResource } from "../../apimachinery/resource.ts";
import type { KubeObject } from "../../apimachinery/meta.ts";
import type { StatusError } from "../../apimachinery/status.ts";
import { frameChunk } from "../../base/http.ts";
import type { WatchEvent } from "../../client/client.ts";
import type { Negotiated } from "./negotiation.ts";
import { objectJsonParts, type AnyObject } from "./object-json.ts";
import { partialMetadata } from "./partial-metadata.ts";
import { tableOfOne, type IncludeObject } from "./table.ts";

/** How one watcher wants its events. Watchers with equal `key` share frames. */
export interface FrameFormat {
  key: string;
  encode(type: string, object: AnyObject): Buffer;
}

const lineEnd = Buffer.from("}\n");

export function frameFormat(card: AnyResource, media: Negotiated, includeObject: IncludeObject, now: () => number): FrameFormat {
  const name = `${card.group}/${card.version}/${card.resource}`;
  const wrap = (type: string, value: object): Buffer => Buffer.from(`{"type":"${type}","object":${JSON.stringify(value)}}\n`);
  switch (media.as) {
    case "Table": return {
      key: `${name};Table;${media.metaVersion};${includeObject}`,
      encode: (type, object) => wrap(type, type === "BOOKMARK" ? tableOfBookmark(card, object, media) : tableOfOne(card, object, { includeObject, metaVersion: media.metaVersion, now: now() })),
    };
    case "PartialObjectMetadata": case "PartialObjectMetadataList": return {
      key: `${name};Partial;${media.metaVersion}`,
      encode: (type, object) => wrap(type, partialMetadata(object, media.metaVersion)),
    };
    default: return {
      key: name,
      encode: (type, object) => Buffer.concat([Buffer.from(`{"type":"${type}","object":`), ...objectJsonParts(card, object), lineEnd]),
    };
  }
}

/** A bookmark has no cells that could be printed: its Table carries the metadata alone. */
const tableOfBookmark = (card: AnyResource, object: AnyObject, { metaVersion }: Negotiated): object =>
  tableOfOne({ ...card, columns: [] }, object, { includeObject: "Metadata", metaVersion, now: 0 });

/** Frames live this long, so that all watchers of an event find them; after that only the object's own bytes stay. Milliseconds. */
const frameLifetime = 1000;

export interface FrameCache {
  /** The event as one HTTP chunk, made once for all watchers that want it in this format. */
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
    frame({ type, object }, format) {
      if (type === "BOOKMARK") return frameChunk(format.encode(type, object));
      const own = shared(object);
      const key = `${type};${format.key}`;
      let bytes = own.get(key);
      if (!bytes) own.set(key, bytes = frameChunk(format.encode(type, object)));
      return bytes;
    },
  };
}

export const errorFrame = (error: StatusError): Buffer => frameChunk(`{"type":"ERROR","object":${JSON.stringify(error.status)}}\n`);
