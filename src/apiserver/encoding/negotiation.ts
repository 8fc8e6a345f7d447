import { notAcceptable } from "../../apimachinery/status.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { hasProtobuf } from "../../apimachinery/schema/protobuf/messages.ts";
import type { Exchange } from "../exchange.ts";
import { isTrue } from "../request-info.ts";
import { encodings, json, lean, protobuf, tableEncodings, type Encoding, type WatchEncoding } from "./encodings.ts";
import { accepts, parseAccept, type MediaType } from "./media-type.ts";

/** How a client wants its answer: the serialisation, and for objects the transformation of k8s.io/apimachinery's meta group. */
export interface Negotiated {
  encoding: Encoding;
  as?: "Table" | "PartialObjectMetadata" | "PartialObjectMetadataList";
  /** The meta.k8s.io version of a transformed object. */
  metaVersion: "v1" | "v1beta1";
}

/** What an endpoint can offer beyond the plain object in JSON. */
export interface Offer {
  /** Objects with metadata: may be asked for as PartialObjectMetadata. */
  metadata?: boolean;
  /** Kinds with columns. */
  table?: boolean;
  /** False for custom resources: only what is made of their metadata has a protobuf form. */
  protobuf?: boolean;
}

const offers = new WeakMap<AnyResource, Offer>();

/** Reviews are answers, not objects: they have no columns. */
export function offerOf(card: AnyResource): Offer {
  let offer = offers.get(card);
  if (!offer) {
    offers.set(card, offer = { metadata: true, table: card.verbs.includes("get"), protobuf: !card.objectSchema && hasProtobuf(card.schema) });
  }
  return offer;
}

const plainJson: Negotiated = { encoding: json, metaVersion: "v1" };

/** Picks the first clause of Accept that can be served. Throws 406 when there is none. */
export function negotiate(exchange: Exchange, offer: Offer): Negotiated {
  const found = choose(exchange, offer);
  if (found) return found;
  throw nothingAccepted();
}

/** The same for a watch, whose events need a framing. */
export function negotiateWatch(exchange: Exchange, offer: Offer): Negotiated & { watch: WatchEncoding } {
  const { encoding, ...rest } = negotiate(exchange, offer);
  if (encoding.watch) return { ...rest, encoding, watch: encoding.watch };
  throw notAcceptable(`only the following media types are accepted: ${encodings.flatMap(({ watch }) => (watch ? [watch.offeredAs] : [])).join(", ")}`);
}

/** What an error is answered in: a Status has no other form. Undefined when Accept names nothing that fits. */
export const negotiateStatus = (exchange: Exchange): Negotiated | undefined => choose(exchange, {});

function choose(exchange: Exchange, offer: Offer): Negotiated | undefined {
  const header = exchange.request.headers["accept"];
  if ((header === undefined || header === "application/json" || header === "*/*") && !wantsPretty(exchange)) return plainJson;
  return firstServed(exchange, (clause, encoding) => serve(clause, encoding, offer));
}

/** The first encoding, by the clauses of Accept, for which `serve` has an answer. */
function firstServed<T>(exchange: Exchange, serve: (clause: MediaType, encoding: Encoding) => T | undefined): (T & { encoding: Encoding }) | undefined {
  for (const clause of parseAccept(exchange.request.headers["accept"])) {
    for (const encoding of clause.type === lean.mediaType || clause.type === lean.watch!.mediaType ? [lean] : encodings) {
      if (!accepts(clause, encoding.mediaType) && clause.type !== encoding.watch?.mediaType) continue;
      const served = serve(clause, encoding);
      if (served) return { ...served, encoding: encoding.pretty && (clause.parameters["pretty"] === "1" || wantsPretty(exchange)) ? encoding.pretty : encoding };
    }
  }
  return undefined;
}

/** What a discovery document is answered in, and the version of the aggregated form where that is asked for and offered. */
export interface DiscoveryForm {
  encoding: Encoding;
  aggregated?: "v2" | "v2beta1";
}

/** Throws 406. */
export function negotiateDiscovery(exchange: Exchange, { aggregated }: { aggregated: boolean }): DiscoveryForm {
  const found = firstServed(exchange, ({ parameters: { as, g, v } }): Omit<DiscoveryForm, "encoding"> | undefined => {
    if (as === undefined && g === undefined && v === undefined) return {};
    return aggregated && as === "APIGroupDiscoveryList" && g === "apidiscovery.k8s.io" && (v === "v2" || v === "v2beta1") ? { aggregated: v } : undefined;
  });
  if (found) return found;
  throw nothingAccepted();
}

const nothingAccepted = (): Error => notAcceptable(`only the following media types are accepted: ${encodings.map(({ mediaType }) => mediaType).join(", ")}`);

/** Source: k8s.io/apiserver handlers/negotiation acceptMediaTypeOptions, and RequestScope.AllowsMediaTypeTransform. */
function serve({ parameters }: MediaType, encoding: Encoding, offer: Offer): Omit<Negotiated, "encoding"> | undefined {
  const { as, g, v, stream, sv } = parameters;
  if (stream && (stream !== "watch" || !encoding.watch)) return undefined;
  if (sv && sv !== "v1") return undefined;
  if (as === undefined && g === undefined && v === undefined) return offer.protobuf === false && encoding === protobuf ? undefined : { metaVersion: "v1" };
  if (g !== "meta.k8s.io" || (v !== "v1" && v !== "v1beta1")) return undefined;
  const offered = as === "Table" ? offer.table && tableEncodings.includes(encoding) : as === "PartialObjectMetadata" || as === "PartialObjectMetadataList" ? offer.metadata : false;
  return offered ? { as: as as Negotiated["as"], metaVersion: v } : undefined;
}

/** Asked for, or a person at a command line or browser, as Kubernetes decides it. */
function wantsPretty({ query, request }: Exchange): boolean {
  const asked = query.get("pretty");
  if (asked) return isTrue(asked);
  return /^(?:curl|Wget|Mozilla\/5\.0)/.test(request.headers["user-agent"] ?? "");
}
