import { gunzipSync } from "node:zlib";
import { changed, type Change } from "../apimachinery/lean/change.ts";
import { decodeLean, leanMediaType, leanWatchMediaType, LeanEventReader, type LeanEvent } from "../apimachinery/lean/lean.ts";
import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import { apiVersionOf, type ResourceCard } from "../apimachinery/resource.ts";
import { encodeCbor, selfDescribed } from "../apimachinery/schema/cbor/encode.ts";
import { isNotFound, StatusError } from "../apimachinery/status.ts";
import type { ObjectKey, WatchEvent } from "./client.ts";
import type { Carrier, TransportAnswer } from "./transport.ts";

export interface CarriedCall {
  method: string;
  /** Path and query. */
  url: string;
  body?: unknown;
  contentType?: string;
  userAgent: string;
  signal: AbortSignal;
}

/** Sends a call by a carrier and reads its answer. Throws the StatusError it was answered with; what else it rejects with is the carrier's. */
export async function callBy(carrier: Carrier, call: CarriedCall): Promise<unknown> {
  const answer = await send(carrier, call, leanMediaType);
  return decoded(answer, await whole(answer));
}

/** Objects are sent as CBOR; patches have no other form than their own. */
async function send(carrier: Carrier, { method, url, body, contentType, userAgent, signal }: CarriedCall, accept: string): Promise<TransportAnswer> {
  const fields: Record<string, string> = body === undefined ? {} : { "content-type": contentType ?? "application/cbor" };
  const bytes = body === undefined ? undefined : contentType ? Buffer.from(JSON.stringify(body)) : Buffer.concat([selfDescribed, encodeCbor(body)]);
  const answer = await carrier({ method, url, headers: { accept, "accept-encoding": "gzip", "user-agent": userAgent, ...fields }, ...(bytes ? { body: bytes } : {}), signal });
  if (answer.status < 300) return answer;
  throw refusal(answer, await whole(answer));
}

async function whole({ body }: TransportAnswer): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces);
}

function decoded(answer: TransportAnswer, bytes: Buffer): unknown {
  const plain = fieldOf(answer, "content-encoding") === "gzip" ? gunzipSync(bytes) : bytes;
  return fieldOf(answer, "content-type") === leanMediaType ? decodeLean(plain) : JSON.parse(plain.toString());
}

function refusal(answer: TransportAnswer, bytes: Buffer): StatusError {
  let status: Partial<StatusError["status"]> = {};
  try {
    status = decoded(answer, bytes) as StatusError["status"];
  } catch {
    // Not a Status: no handler of the API's.
  }
  if (status.kind !== "Status") status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message: bytes.toString().slice(0, 500), reason: "" };
  return new StatusError({ ...status, code: status.code ?? answer.status, message: status.message ?? "" } as StatusError["status"]);
}

function fieldOf({ headers }: TransportAnswer, name: string): string | undefined {
  const found = Object.keys(headers).find((each) => each.toLowerCase() === name);
  return found === undefined ? undefined : [headers[found]!].flat()[0];
}

export interface CarriedWatch<T extends KubeObject> {
  card: ResourceCard<T>;
  known(key: string): Frozen<KubeObject> | undefined;
  /** Reads one object whole, where what is known is not what the server thinks it is. */
  get(key: ObjectKey): Promise<Frozen<T>>;
  /** The watch has begun. */
  onBegun(): void;
}

/** A watch by a carrier: its events made whole again of what is known. Ends as the answer does. */
export async function* watchBy<T extends KubeObject>(carrier: Carrier, call: CarriedCall, watch: CarriedWatch<T>): AsyncGenerator<WatchEvent<T>> {
  const answer = await send(carrier, call, leanWatchMediaType);
  watch.onBegun();
  const reader = new LeanEventReader();
  for await (const piece of answer.body) {
    for (const event of reader.read(piece)) {
      const told = await toldBy(event, watch);
      if (told) yield told;
    }
  }
}

async function toldBy<T extends KubeObject>(event: LeanEvent, watch: CarriedWatch<T>): Promise<WatchEvent<T> | undefined> {
  const kinded = (object: object): Frozen<T> => ({ ...object, apiVersion: apiVersionOf(watch.card), kind: watch.card.kind }) as unknown as Frozen<T>;
  switch (event.type) {
    case "ADDED":
    case "MODIFIED":
      return { type: event.type, object: kinded(event.object) };
    case "BOOKMARK":
      return { type: "BOOKMARK", object: event.object as Frozen<KubeObject> };
    case "REACHED":
      return { type: "BOOKMARK", object: { metadata: { resourceVersion: String(event.to) } } as Frozen<KubeObject> };
    case "ERROR":
      throw new StatusError(event.object as StatusError["status"]);
    case "DELETED": {
      const last = watch.known(event.key);
      return last && { type: "DELETED", object: atVersion(last, event.to) as unknown as Frozen<T> };
    }
    case "CHANGED": {
      const before = watch.known(event.key), version = Number(before?.metadata.resourceVersion);
      if (before && version >= event.to) return undefined;
      const after = before && version >= event.from ? changedObject(before, event.change) : undefined;
      return after ? { type: "MODIFIED", object: atVersion(after, event.to) as unknown as Frozen<T> } : asItIsNow(event.key, watch);
    }
  }
}

/** Undefined where what is known turns out to be something else than the server took it for: of no use here, and no fault of the connection. */
function changedObject(before: Frozen<KubeObject>, change: Change): Frozen<KubeObject> | undefined {
  try {
    return changed(before, change) as Frozen<KubeObject>;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Who manages which field is not followed: what was known of it, by plain HTTPS, is no longer true. */
function atVersion(object: Frozen<KubeObject>, version: number): Frozen<KubeObject> {
  const { managedFields: _managedFields, ...metadata } = object.metadata;
  return { ...object, metadata: { ...metadata, resourceVersion: String(version) } };
}

/** Gone already: the event that says so is on its way. */
async function asItIsNow<T extends KubeObject>(key: string, { get }: CarriedWatch<T>): Promise<WatchEvent<T> | undefined> {
  const slash = key.indexOf("/");
  try {
    return { type: "MODIFIED", object: await get(slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) }) };
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
