import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { dump } from "js-yaml";
import type { AnyResource } from "../../apimachinery/resource.ts";
import type { KubeObject } from "../../apimachinery/meta.ts";
import type { StatusError } from "../../apimachinery/status.ts";
import type { ListMeta } from "../../apis/generated/meta/v1.ts";
import type { ObjectList } from "../../client/client.ts";
import { reply, type Exchange } from "../exchange.ts";
import { wantsPretty, type Negotiated } from "./negotiation.ts";
import { listJson, listValue, objectJson, objectValue, type AnyObject, type Kinded } from "./object-json.ts";
import { partialMetadata, partialMetadataList } from "./partial-metadata.ts";
import { includeObjectOf, table, tableOfOne } from "./table.ts";

const compress = promisify(gzip);
/** As Kubernetes: smaller answers aren't worth the time. */
const gzipFrom = 128 << 10;

/** Answers with one object of a kind, in the form negotiated. */
export function replyObject(exchange: Exchange, media: Negotiated, status: number, card: AnyResource, object: AnyObject): Promise<void> {
  if (media.as === "Table") return replyValue(exchange, media, status, tableOfOne(card, object, { ...media, includeObject: includeObjectOf(exchange.query), now: Date.now() }));
  if (media.as === "PartialObjectMetadata") return replyValue(exchange, media, status, partialMetadata(object, media.metaVersion));
  if (isPlain(media)) return replyBytes(exchange, status, "application/json", objectJson(card, object));
  return replyValue(exchange, media, status, objectValue(card, object));
}

export function replyList(exchange: Exchange, media: Negotiated, card: AnyResource, { items, metadata }: ObjectList<KubeObject>): Promise<void> {
  const meta: ListMeta = metadata;
  if (media.as === "Table") return replyValue(exchange, media, 200, table(card, items, meta, { ...media, includeObject: includeObjectOf(exchange.query), now: Date.now() }));
  if (media.as === "PartialObjectMetadataList") return replyValue(exchange, media, 200, partialMetadataList(items, meta, media.metaVersion));
  if (isPlain(media)) return replyBytes(exchange, 200, "application/json", listJson(card, items, meta));
  return replyValue(exchange, media, 200, listValue(card, items, meta));
}

const isPlain = (media: Negotiated): boolean => media.format === "json" && !media.pretty && media.as === undefined;

/** Answers with any value that carries its own kind and apiVersion. */
export function replyValue(exchange: Exchange, media: Negotiated, status: number, value: object): Promise<void> {
  if (media.format === "yaml") return replyBytes(exchange, status, "application/yaml", Buffer.from(dump(plain(value), { noRefs: true })));
  return replyBytes(exchange, status, "application/json", Buffer.from(jsonText(value, media.pretty)));
}

const jsonText = (value: object, pretty: boolean): string => (pretty ? `${JSON.stringify(value, null, 2)}\n` : JSON.stringify(value));

/** A Kubernetes answer that isn't an object of the table, such as a Scale: kind and apiVersion come first. */
export const replyKind = (exchange: Exchange, media: Negotiated, status: number, kind: Kinded, object: object): Promise<void> =>
  replyValue(exchange, media, status, objectValue(kind, object as AnyObject));

/** Turns an error into its answer. Clients read a Status in JSON whatever they asked for. */
export function replyStatus(exchange: Exchange, error: StatusError): void {
  const { retryAfterSeconds } = error.status.details ?? {};
  reply(exchange, error.code, {
    "Content-Type": "application/json", "Cache-Control": "no-cache, private", ...(retryAfterSeconds ? { "Retry-After": String(retryAfterSeconds) } : {}),
    ...(error.code === 401 ? { "WWW-Authenticate": 'Bearer realm="kubernetes-master"' } : {}),
  }, jsonText(error.status, wantsPretty(exchange)));
}

/** Without `undefined`s, which YAML refuses. */
const plain = (value: object): unknown => JSON.parse(JSON.stringify(value));

export const acceptsGzip = ({ request }: Exchange): boolean => /\bgzip\b(?!;q=0(?:\.0*)?(?:,|$))/.test(request.headers["accept-encoding"] ?? "");

/** Compresses large bodies for clients that ask for it. */
export async function replyBytes(exchange: Exchange, status: number, contentType: string, body: Buffer, extra: Record<string, string> = {}): Promise<void> {
  const headers: Record<string, string> = { "Content-Type": contentType, "Cache-Control": "no-cache, private", ...extra };
  if (body.length < gzipFrom || !acceptsGzip(exchange)) return reply(exchange, status, headers, body);
  const zipped = await compress(body, { level: 1 });
  reply(exchange, status, { ...headers, "Content-Encoding": "gzip", Vary: extra["Vary"] ? `${extra["Vary"]}, Accept-Encoding` : "Accept-Encoding" }, zipped);
}
