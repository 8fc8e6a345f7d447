import type { JsonObject } from "../../apimachinery/own.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { noDescriptions, type Descriptions } from "./descriptions.ts";
import { makeDocument, noCustomSchemas, renderJson, type CustomSchemas } from "./document.ts";
import { renderProtobuf } from "./protobuf.ts";
import type { Dialect } from "./schemas.ts";

/** What a handler answers with. */
export interface OpenApiDocument {
  contentType: string;
  /** With its quotes. */
  etag: string;
  /** For clients that take `Content-Encoding: gzip`; it is the form that is kept. */
  gzip: Uint8Array<ArrayBuffer>;
  /** Unpacked anew at each call. */
  body(): Uint8Array<ArrayBuffer>;
}

export interface OpenApi {
  /** All kinds in one document: JSON, or the protobuf form where `accept` asks for it, as kubectl's does. */
  v2(accept: string): OpenApiDocument;
  /** `/openapi/v3`: where each group-version's document is. */
  v3Index(): OpenApiDocument;
  /** `api/v1`, `apis/apps/v1`; undefined when nothing of it is served. */
  v3(groupVersion: string): OpenApiDocument | undefined;
  /** To be called when the cards have changed. */
  invalidate(): void;
}

export interface OpenApiOptions {
  cards(): readonly AnyResource[];
  descriptions?: Descriptions;
  /** Skiff's version: documents may differ between versions. */
  version?: string;
  custom?: CustomSchemas;
}

/** Clients ask for `…v2@v1.0…`, but an `@` makes no valid Content-Type. */
const protobufType = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/** Documents are made when first asked for and kept compressed until `invalidate`. */
export function createOpenApi({ cards, descriptions = noDescriptions, version = "0", custom = noCustomSchemas }: OpenApiOptions): OpenApi {
  const kept = new Map<string, OpenApiDocument>();

  const remember = (key: string, make: () => OpenApiDocument): OpenApiDocument => {
    let document = kept.get(key);
    if (!document) kept.set(key, (document = make()));
    return document;
  };
  /** What documents are made from decides what they say; this way the index needn't make them all. */
  const fingerprint = (of: readonly AnyResource[]): string => {
    const facts = of.map((card) => [card.group, card.version, card.kind, card.resource, card.scope, card.schema, card.verbs, Object.keys(card.subresources), card.subresources.others, custom.fingerprint(card)]);
    return Bun.SHA256.hash(JSON.stringify([version, descriptions.fingerprint, facts]), "hex").toUpperCase();
  };
  const partsOf = (of: readonly AnyResource[], dialect: Dialect) => makeDocument({ cards: of, dialect, version: "v1.36.0", describe: descriptions.open(), custom });
  const ofGroupVersion = (groupVersion: string): AnyResource[] => cards().filter((card) => pathOf(card) === groupVersion);

  return {
    v2(accept) {
      const protobuf = accept.includes("proto-openapi.spec.v2");
      return remember(protobuf ? "v2.pb" : "v2", () => {
        const parts = partsOf(cards(), "v2");
        return pack(protobuf ? renderProtobuf(parts) : renderJson(parts, "v2"), protobuf ? protobufType : "application/json", fingerprint(cards()));
      });
    },
    v3Index: () => remember("v3", () => {
      const paths: JsonObject = {};
      for (const path of [...new Set(cards().map(pathOf))].sort()) paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${fingerprint(ofGroupVersion(path))}` };
      return pack(JSON.stringify({ paths }), "application/json", fingerprint(cards()));
    }),
    v3(groupVersion) {
      const of = ofGroupVersion(groupVersion);
      return of.length === 0 ? undefined : remember(`v3/${groupVersion}`, () => pack(renderJson(partsOf(of, "v3"), "v3"), "application/json", fingerprint(of)));
    },
    invalidate: () => kept.clear(),
  };
}

const pathOf = (card: AnyResource): string => (card.group ? `apis/${card.group}/${card.version}` : `api/${card.version}`);

function pack(content: string | Uint8Array<ArrayBuffer>, contentType: string, hash: string): OpenApiDocument {
  const gzip = Bun.gzipSync(typeof content === "string" ? Buffer.from(content) : content);
  return { contentType, etag: `"${hash}"`, gzip, body: () => Bun.gunzipSync(gzip) };
}
