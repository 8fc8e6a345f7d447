import { notAcceptable } from "../../apimachinery/status.ts";
import type { Exchange } from "../exchange.ts";
import { isTrue } from "../request-info.ts";
import { accepts, parseAccept, type MediaType } from "./media-type.ts";

/** How a client wants its answer: the serialisation, and for objects the transformation of k8s.io/apimachinery's meta group. */
export interface Negotiated {
  format: "json" | "yaml";
  as?: "Table" | "PartialObjectMetadata" | "PartialObjectMetadataList";
  /** The meta.k8s.io version of a transformed object. */
  metaVersion: "v1" | "v1beta1";
  pretty: boolean;
}

/** What an endpoint can offer beyond the plain object. */
export interface Offer {
  /** Objects with metadata: may be asked for as PartialObjectMetadata. */
  metadata?: boolean;
  /** Kinds with columns. */
  table?: boolean;
  /** Watches have no YAML framing. */
  streaming?: boolean;
}

/** Reviews are answers, not objects: they have neither columns nor metadata worth a form of its own. */
export function offerOf({ verbs }: { verbs: readonly string[] }): Offer {
  const stored = verbs.includes("get");
  return { metadata: stored, table: stored };
}

const plainJson: Negotiated = { format: "json", metaVersion: "v1", pretty: false };

/** Picks the first clause of Accept that can be served. Throws 406 when there is none. */
export function negotiate(exchange: Exchange, offer: Offer): Negotiated {
  const header = exchange.request.headers["accept"];
  const pretty = wantsPretty(exchange);
  if (!pretty && (header === undefined || header === "application/json" || header === "*/*")) return plainJson;
  for (const clause of parseAccept(header)) {
    const chosen = serve(clause, offer);
    if (chosen) return pretty ? { ...chosen, pretty } : chosen;
  }
  throw notAcceptable(`only the following media types are accepted: application/json${offer.streaming ? ";stream=watch" : ", application/yaml"}`);
}

function serve(clause: MediaType, offer: Offer): Negotiated | undefined {
  const format = accepts(clause, "application/json") ? "json" : accepts(clause, "application/yaml") && !offer.streaming ? "yaml" : undefined;
  if (!format) return undefined;
  const { as, g, v } = clause.parameters;
  if (as === undefined) return { format, metaVersion: "v1", pretty: false };
  const offered = as === "Table" ? offer.table : as === "PartialObjectMetadata" || as === "PartialObjectMetadataList" ? offer.metadata : false;
  if (!offered || g !== "meta.k8s.io" || (v !== "v1" && v !== "v1beta1")) return undefined;
  return { format, as: as as Negotiated["as"], metaVersion: v, pretty: false };
}

/** Asked for, or a person at a command line or browser, as Kubernetes decides it. */
export function wantsPretty({ query, request }: Exchange): boolean {
  const asked = query.get("pretty");
  if (asked !== null) return isTrue(asked);
  return /^(?:curl|Wget|Mozilla\/5\.0)/.test(request.headers["user-agent"] ?? "");
}
