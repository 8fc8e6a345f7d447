import type { JsonObject } from "../../apimachinery/own.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { hasType } from "../../apimachinery/schema/schema.ts";
import type { DescriptionLookup } from "./descriptions.ts";
import { deleteOptionsType, endpointsOf, patchType, statusType, subresourceKinds } from "./endpoints.ts";
import { pathItem } from "./paths.ts";
import { schemaOf, type Dialect, type GroupVersionKind } from "./schemas.ts";

/** A document's parts, made one at a time so that no tree of all of them is ever held. */
export interface DocumentParts {
  info: { title: string; version: string };
  paths(): Iterable<[path: string, item: JsonObject]>;
  /** After `paths`, since these are the types that they refer to, and those that these refer to. */
  schemas(): Iterable<[name: string, schema: JsonObject]>;
}

/** What another server says of its part of the API. */
export interface RemoteDocument {
  /** Changes with the document. */
  fingerprint: string;
  /** Under which paths it is, with the schemas that they need. */
  open(): { paths: Readonly<Record<string, JsonObject>>; schemas: Readonly<Record<string, JsonObject>> };
}

/** With those of other servers. Where they have a schema of a name that is ours, ours stands for both. */
export function withRemoteParts(own: DocumentParts, remotes: readonly RemoteDocument[]): DocumentParts {
  if (remotes.length === 0) return own;
  const opened = remotes.map((remote) => remote.open());
  return {
    info: own.info,
    *paths() {
      yield* own.paths();
      for (const { paths } of opened) yield* Object.entries(paths);
    },
    *schemas() {
      const seen = new Set<string>();
      for (const entry of [own.schemas(), ...opened.map(({ schemas }) => Object.entries(schemas))]) {
        for (const [name, schema] of entry) {
          if (seen.has(name)) continue;
          seen.add(name);
          yield [name, schema];
        }
      }
    },
  };
}

/** The types of custom resources, which the table doesn't have. */
export interface CustomSchemas {
  schema(card: AnyResource, dialect: Dialect): JsonObject | undefined;
  list(card: AnyResource, dialect: Dialect): JsonObject | undefined;
  /** Changes with the schema. */
  fingerprint(card: AnyResource): string | undefined;
}

export const noCustomSchemas: CustomSchemas = { schema: () => undefined, list: () => undefined, fingerprint: () => undefined };

export interface DocumentSource {
  cards: readonly AnyResource[];
  dialect: Dialect;
  version: string;
  describe: DescriptionLookup;
  custom: CustomSchemas;
}

export function makeDocument({ cards, dialect, version, describe, custom }: DocumentSource): DocumentParts {
  const kinds = servedKinds(cards);
  const wanted = new Set<string>();
  return {
    info: { title: "Kubernetes", version },
    *paths() {
      for (const card of cards) {
        for (const endpoint of endpointsOf(card)) {
          for (const { body, response } of endpoint.operations) for (const type of [body, response]) if (type) wanted.add(type);
          yield [endpoint.path, pathItem(endpoint, dialect)];
        }
      }
    },
    *schemas() {
      const unknown = cards.filter((card) => !hasType(card.schema));
      if (unknown.length > 0) for (const type of metadataTypes) wanted.add(type);
      // A set's iterator reaches what is added meanwhile.
      for (const name of wanted) {
        const card = unknown.find(({ schema }) => name === schema || name === `${schema}List`);
        const context = { dialect, describe, kindsOf: (type: string) => kinds.get(type) ?? [], refer: (type: string) => void wanted.add(type) };
        if (card) yield [name, { type: "object", ...(name === card.schema ? custom.schema(card, dialect) : custom.list(card, dialect)), "x-kubernetes-group-version-kind": kinds.get(name) ?? [] }];
        else if (name === patchType) yield [name, { description: "A patch, in one of the forms that the media type names.", type: "object" }];
        else yield [name, schemaOf(name, context)];
      }
    },
  };
}

/** What types that the table doesn't have refer to. */
const metadataTypes = ["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"];

function servedKinds(cards: readonly AnyResource[]): Map<string, GroupVersionKind[]> {
  const kinds = new Map<string, GroupVersionKind[]>();
  const add = (type: string, kind: GroupVersionKind): void => {
    kinds.set(type, [...(kinds.get(type) ?? []), kind]);
  };
  for (const { schema, group, version, kind, listKind = `${kind}List` } of cards) {
    add(schema, { group, version, kind });
    add(`${schema}List`, { group, version, kind: listKind });
  }
  for (const { type, kind } of subresourceKinds) if (!kinds.has(type)) add(type, kind);
  add(statusType, { group: "", version: "v1", kind: "Status" });
  for (const version of new Set(cards.map((card) => `${card.group}/${card.version}`))) {
    const [group = "", name = ""] = version.split("/");
    add(deleteOptionsType, { group, version: name, kind: "DeleteOptions" });
  }
  return kinds;
}

/** The document as JSON text. */
export function* renderJson(parts: DocumentParts, dialect: Dialect): Generator<void, string> {
  function* members(entries: Iterable<[string, JsonObject]>): Generator<void, string> {
    const written: string[] = [];
    for (const [name, value] of entries) yield void written.push(`${JSON.stringify(name)}:${JSON.stringify(value)}`);
    return `{${written.sort().join(",")}}`;
  }
  const head = dialect === "v2" ? '"swagger":"2.0"' : '"openapi":"3.0.0"';
  const paths = yield* members(parts.paths()), schemas = yield* members(parts.schemas());
  return `{${head},"info":${JSON.stringify(parts.info)},"paths":${paths},${dialect === "v2" ? `"definitions":${schemas}` : `"components":{"schemas":${schemas}}`}}`;
}
