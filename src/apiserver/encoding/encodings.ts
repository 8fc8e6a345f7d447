import { dump } from "js-yaml";
import { watchFrame } from "../../apimachinery/schema/protobuf/envelope.ts";
import { listJson, listValue, objectJson, objectJsonParts, objectValue, type AnyObject, type Kinded } from "./object-json.ts";
import { encodeLean, leanMediaType, leanWatchMediaType } from "../../apimachinery/lean/lean.ts";
import { eventCbor, listCbor, objectCbor, valueCbor } from "./object-cbor.ts";
import { changeLean, eventLean, listLean, objectLean, valueEventLean } from "./object-lean.ts";
import { listProtobuf, objectProtobuf, valueProtobuf } from "./object-protobuf.ts";

/** A serialisation of answers. `object` and `list` share bytes among readers; `value` is for what is made for one answer. */
export interface Encoding {
  /** Tells encodings apart, as their media types don't. */
  readonly name: string;
  readonly mediaType: string;
  object(card: Kinded, object: AnyObject): Buffer;
  /** Long lists take several turns of the event loop. */
  list(card: Kinded, items: readonly AnyObject[], metadata: object): Buffer | Promise<Buffer>;
  /** Values carry their kind and apiVersion, which `kind` repeats. */
  value(kind: Kinded, value: object): Buffer;
  /** Absent where watches aren't served. */
  readonly watch?: WatchEncoding;
  /** For people. */
  readonly pretty?: Encoding;
}

export interface WatchEncoding {
  /** The Content-Type of a watch. */
  readonly mediaType: string;
  /** What negotiation lists it as. */
  readonly offeredAs: string;
  /** Frames are text, for WebSockets. */
  readonly isText: boolean;
  event(type: string, card: Kinded, object: AnyObject): Buffer;
  /** An event MODIFIED by what became of the version before, where the encoding has such; no bytes when nothing that it tells of changed. */
  change?(card: Kinded, object: AnyObject, previous: AnyObject): Buffer;
  /** The least time between two bookmarks of a watch, in milliseconds. */
  readonly bookmarkMs?: number;
  /** The same of a value that is made for this event. */
  valueEvent(type: string, kind: Kinded, value: object): Buffer;
}

const line = (value: object): Buffer => Buffer.from(`${JSON.stringify(value)}\n`);
const eventEnd = Buffer.from("}\n");

const jsonWatch: WatchEncoding = {
  mediaType: "application/json", offeredAs: "application/json;stream=watch", isText: true,
  event: (type, card, object) => Buffer.concat([Buffer.from(`{"type":"${type}","object":`), ...objectJsonParts(card, object), eventEnd]),
  valueEvent: (type, _, value) => line({ type, object: value }),
};

const pretty = (value: object): Buffer => Buffer.from(JSON.stringify(value, null, 2));
const prettyJson: Encoding = {
  name: "pretty", mediaType: "application/json", watch: jsonWatch,
  object: (card, object) => pretty(objectValue(card, object)), list: (card, items, metadata) => pretty(listValue(card, items, metadata)), value: (_, value) => pretty(value),
};

export const json: Encoding = { name: "json", mediaType: "application/json", object: objectJson, list: listJson, value: (_, value) => line(value), watch: jsonWatch, pretty: prettyJson };

/** Without `undefined`s, which YAML refuses. */
const yamlText = (value: object): Buffer => Buffer.from(dump(JSON.parse(JSON.stringify(value)), { noRefs: true, sortKeys: true, seqNoIndent: true }));
const yaml: Encoding = {
  name: "yaml", mediaType: "application/yaml",
  object: (card, object) => yamlText(objectValue(card, object)), list: (card, items, metadata) => yamlText(listValue(card, items, metadata)), value: (_, value) => yamlText(value),
};

export const protobuf: Encoding = {
  name: "protobuf", mediaType: "application/vnd.kubernetes.protobuf", object: objectProtobuf, list: listProtobuf, value: valueProtobuf,
  watch: {
    mediaType: "application/vnd.kubernetes.protobuf;stream=watch", offeredAs: "application/vnd.kubernetes.protobuf;stream=watch", isText: false,
    event: (type, card, object) => watchFrame(type, objectProtobuf(card, object)),
    valueEvent: (type, kind, value) => watchFrame(type, valueProtobuf(kind, value)),
  },
};

/** KEP-4222; a watch is a sequence of items (RFC 8742). */
const cbor: Encoding = {
  name: "cbor", mediaType: "application/cbor", object: objectCbor, list: listCbor, value: (_, value) => valueCbor(value),
  watch: {
    mediaType: "application/cbor-seq", offeredAs: "application/cbor-seq", isText: false,
    event: (type, card, object) => eventCbor(type, objectCbor(card, object)),
    valueEvent: (type, _, value) => eventCbor(type, valueCbor(value)),
  },
};

/** So often that a watch which is begun anew after a short while finds its events still kept. */
const leanBookmarkMs = 210_000;

/** For our own agents, which ask for it by name; not offered to others. */
export const lean: Encoding = {
  name: "lean", mediaType: leanMediaType, object: objectLean, list: listLean, value: (_, value) => encodeLean(value),
  watch: {
    mediaType: leanWatchMediaType, offeredAs: leanWatchMediaType, isText: false, bookmarkMs: leanBookmarkMs,
    event: eventLean, change: changeLean, valueEvent: (type, _, value) => valueEventLean(type, value),
  },
};

/** What answers are offered in, by preference. */
export const encodings: readonly Encoding[] = [json, yaml, protobuf, cbor];
/** What is tabular: as with Kubernetes, the two that people read. */
export const tableEncodings: readonly Encoding[] = [json, yaml];
