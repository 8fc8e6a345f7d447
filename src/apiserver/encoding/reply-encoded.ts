import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { leanMediaType } from "../../apimachinery/lean/lean.ts";
import { apiVersionOf, type AnyResource } from "../../apimachinery/resource.ts";
import type { KubeObject } from "../../apimachinery/meta.ts";
import { notAcceptable, type StatusError } from "../../apimachinery/status.ts";
import type { ListMeta } from "../../apis/generated/meta/v1.ts";
import type { ObjectList } from "../../client/client.ts";
import { reply, type Exchange } from "../exchange.ts";
import { json } from "./encodings.ts";
import { negotiateStatus, type Negotiated } from "./negotiation.ts";
import { objectValue, type AnyObject, type Kinded } from "./object-json.ts";
import { partialMetadata, partialMetadataList } from "./partial-metadata.ts";
import { includeObjectOf, table, tableOfOne, type Printed } from "./table.ts";

const compress = promisify(gzip);
/** As Kubernetes: smaller answers aren't worth the time. */
const gzipFrom = 128 << 10;
/** Agents' links are thin. */
const leanGzipFrom = 1 << 10;

/** Answers with one object of a kind, in the form negotiated. */
export function replyObject(exchange: Exchange, media: Negotiated, status: number, card: AnyResource, object: AnyObject): Promise<void> {
  exchange.audit?.responseObject(objectValue(card, object));
  if (media.as) return replyTransformed(exchange, media, status, card, object);
  return replyBytes(exchange, status, media.encoding.mediaType, media.encoding.object(card, object));
}

function replyTransformed(exchange: Exchange, media: Negotiated, status: number, card: Printed, object: AnyObject): Promise<void> {
  if (media.as === "Table") return replyValue(exchange, media, status, tableOfOne(card, object, { ...media, includeObject: includeObjectOf(exchange.query), now: Date.now() }));
  if (media.as === "PartialObjectMetadata") return replyValue(exchange, media, status, partialMetadata(object, media.metaVersion));
  throw notAcceptable(`you requested PartialObjectMetadataList, but the requested object is not a list (*${goName(card)})`);
}

export async function replyList(exchange: Exchange, media: Negotiated, card: AnyResource, { items, metadata }: ObjectList<KubeObject>): Promise<void> {
  const meta: ListMeta = metadata;
  exchange.audit?.responseObject({ kind: `${card.kind}List`, apiVersion: apiVersionOf(card), metadata, items });
  if (media.as === "Table") return replyValue(exchange, media, 200, table(card, items, meta, { ...media, includeObject: includeObjectOf(exchange.query), now: Date.now() }));
  if (media.as === "PartialObjectMetadataList") return replyValue(exchange, media, 200, partialMetadataList(items, meta, media.metaVersion));
  if (media.as === "PartialObjectMetadata") throw notAcceptable(`you requested PartialObjectMetadata, but the requested object is a list (*${goName(card)}List)`);
  return replyBytes(exchange, 200, media.encoding.mediaType, await media.encoding.list(card, items, meta));
}

/** Kubernetes names the internal type, of a package called as the group: `*core.Pod`. */
const goName = ({ group, kind }: Kinded): string => `${group ? group.split(".")[0] : "core"}.${kind}`;

/** Answers with a value of the meta group, which carries its own kind and apiVersion. */
export function replyValue(exchange: Exchange, media: Negotiated, status: number, value: object): Promise<void> {
  return replyBytes(exchange, status, media.encoding.mediaType, media.encoding.value(kindOf(value), value));
}

/** The kind of a value that says it. */
export function kindOf(value: object): Kinded {
  const { kind = "", apiVersion = "" } = value as { kind?: string; apiVersion?: string };
  const slash = apiVersion.indexOf("/");
  return { group: slash < 0 ? "" : apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1), kind };
}

/** A Kubernetes answer that isn't an object of the table, such as a Scale: kind and apiVersion come first. With columns it is answered in the form negotiated. */
export const replyKind = (exchange: Exchange, media: Negotiated, status: number, kind: Kinded & { columns?: AnyResource["columns"] }, object: object): Promise<void> => {
  const { columns = [] } = kind;
  exchange.audit?.responseObject(objectValue(kind, object as AnyObject));
  if (media.as) return replyTransformed(exchange, media, status, { ...kind, columns }, object as AnyObject);
  return replyBytes(exchange, status, media.encoding.mediaType, media.encoding.value(kind, objectValue(kind, object as AnyObject)));
};

/** Turns an error into its answer, in the encoding that the client asked for; where that can't be had, JSON laid out for people. */
export function replyStatus(exchange: Exchange, error: StatusError): void {
  const { retryAfterSeconds } = error.status.details ?? {};
  const { mediaType, value } = negotiateStatus(exchange)?.encoding ?? json.pretty!;
  reply(exchange, error.code, {
    "Content-Type": mediaType, "Cache-Control": "no-cache, private", ...(retryAfterSeconds ? { "Retry-After": String(retryAfterSeconds) } : {}),
    ...(error.code === 401 ? { "WWW-Authenticate": 'Bearer realm="kubernetes-master"' } : {}),
  }, value({ group: "", version: "v1", kind: "Status" }, error.status));
}

export const acceptsGzip = ({ request }: Exchange): boolean => /\bgzip\b(?!;q=0(?:\.0*)?(?:,|$))/.test(request.headers["accept-encoding"] ?? "");

/** Compresses large bodies for clients that ask for it. */
export async function replyBytes(exchange: Exchange, status: number, contentType: string, body: Buffer, extra: Record<string, string> = {}): Promise<void> {
  const headers: Record<string, string> = { "Content-Type": contentType, "Cache-Control": "no-cache, private", ...extra };
  if (body.length <= (contentType === leanMediaType ? leanGzipFrom : gzipFrom) || !acceptsGzip(exchange)) return reply(exchange, status, headers, body);
  const zipped = await compress(body, { level: 1 });
  reply(exchange, status, { ...headers, "Content-Encoding": "gzip", Vary: extra["Vary"] ? `${extra["Vary"]}, Accept-Encoding` : "Accept-Encoding" }, zipped);
}
