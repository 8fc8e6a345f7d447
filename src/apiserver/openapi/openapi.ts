import { promisify } from "node:util";
import { gzip as gzipCallback } from "node:zlib";
import type { JsonObject } from "../../apimachinery/own.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { noDescriptions, type Descriptions } from "./descriptions.ts";
import { makeDocument, noCustomSchemas, renderJson, withRemoteParts, type CustomSchemas, type RemoteDocument } from "./document.ts";
import { renderProtobufV3 } from "./protobuf-v3.ts";
import { renderProtobuf } from "./protobuf.ts";
import type { Dialect } from "./schemas.ts";
import { inSlices, type Steps } from "./slices.ts";

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
  /** All kinds in one document, and those of `remotes`: JSON, or the protobuf form where `accept` asks for it, as kubectl's does. */
  v2(accept: string, remotes?: readonly RemoteDocument[]): Promise<OpenApiDocument>;
  /** `/openapi/v3`: where each group-version's document is. */
  v3Index(): OpenApiDocument;
  /** `api/v1`, `apis/apps/v1`, in the form that `accept` asks for; undefined when nothing of it is served. */
  v3(groupVersion: string, accept: string): Promise<OpenApiDocument | undefined>;
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
const protobufType = (dialect: Dialect): string => `application/com.github.proto-openapi.spec.${dialect}.v1.0+protobuf`;
const asksProtobuf = (accept: string, dialect: Dialect): boolean => accept.includes(`proto-openapi.spec.${dialect}`);
const protobufOf = { v2: renderProtobuf, v3: renderProtobufV3 };

/** Documents are made when first asked for, without holding up other requests, and kept compressed until `invalidate`. */
export function createOpenApi({ cards, descriptions = noDescriptions, version = "0", custom = noCustomSchemas }: OpenApiOptions): OpenApi {
  const kept = new Map<string, { remotes: string; document: Promise<OpenApiDocument> }>();
  let index: OpenApiDocument | undefined;

  /** What documents are made from decides what they say; this way the index needn't make them all. */
  const fingerprint = (of: readonly AnyResource[], remotes: readonly RemoteDocument[] = []): string => {
    const facts = of.map((card) => [card.group, card.version, card.kind, card.resource, card.scope, card.schema, card.verbs, Object.keys(card.subresources), card.subresources.others, custom.fingerprint(card)]);
    return Bun.SHA256.hash(JSON.stringify([version, descriptions.fingerprint, facts, ...remotes.map((remote) => remote.fingerprint)]), "hex").toUpperCase();
  };
  const ofGroupVersion = (groupVersion: string): AnyResource[] => cards().filter((card) => pathOf(card) === groupVersion);

  function remember(name: string, dialect: Dialect, accept: string, of: readonly AnyResource[], remotes: readonly RemoteDocument[]): Promise<OpenApiDocument> {
    const protobuf = asksProtobuf(accept, dialect), key = `${name};${protobuf}`;
    const found = kept.get(key);
    const others = remotes.map((remote) => remote.fingerprint).join();
    if (found?.remotes === others) return found.document;
    const parts = withRemoteParts(makeDocument({ cards: of, dialect, version: "v1.36.0", describe: descriptions.open(), custom }), remotes);
    const work: Steps<string | Uint8Array<ArrayBuffer>> = protobuf ? protobufOf[dialect](parts) : renderJson(parts, dialect);
    const document = pack(work, protobuf ? protobufType(dialect) : "application/json", fingerprint(of, remotes));
    kept.set(key, { remotes: others, document });
    return document;
  }

  return {
    v2: (accept, remotes = []) => remember("v2", "v2", accept, cards(), remotes),
    v3Index() {
      if (index) return index;
      const paths: JsonObject = {};
      for (const path of [...new Set(cards().map(pathOf))].sort()) paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${fingerprint(ofGroupVersion(path))}` };
      return (index = packed(Bun.gzipSync(Buffer.from(JSON.stringify({ paths }))), "application/json", fingerprint(cards())));
    },
    async v3(groupVersion, accept) {
      const of = ofGroupVersion(groupVersion);
      return of.length === 0 ? undefined : remember(`v3/${groupVersion}`, "v3", accept, of, []);
    },
    invalidate() {
      kept.clear();
      index = undefined;
    },
  };
}

const pathOf = (card: AnyResource): string => (card.group ? `apis/${card.group}/${card.version}` : `api/${card.version}`);

const gzip = promisify(gzipCallback);

async function pack(work: Steps<string | Uint8Array<ArrayBuffer>>, contentType: string, hash: string): Promise<OpenApiDocument> {
  return packed(new Uint8Array(await gzip(await inSlices(work))), contentType, hash);
}

const packed = (zipped: Uint8Array<ArrayBuffer>, contentType: string, hash: string): OpenApiDocument => ({ contentType, etag: `"${hash}"`, gzip: zipped, body: () => Bun.gunzipSync(zipped) });
