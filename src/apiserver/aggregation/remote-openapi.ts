import { createHash } from "node:crypto";
import type { Frozen } from "../../apimachinery/meta.ts";
import { isObject, type JsonObject } from "../../apimachinery/own.ts";
import type { RemoteDocument } from "../openapi/document.ts";
import { apiServiceName, type ApiService } from "./api-service.ts";

/** A document that is older is asked for anew, when somebody wants it. */
const freshMs = 60_000, retryMs = 3_000;

export interface RemoteOpenApi {
  /** What the extension API servers of these services say in OpenAPI v2. One that doesn't answer is left out, or has its last word. */
  documents(services: readonly Frozen<ApiService>[]): Promise<RemoteDocument[]>;
  forget(name: string): void;
}

interface Known {
  until: number;
  document: Promise<RemoteDocument | undefined>;
}

/** `load` resolves with the text of a server's `/openapi/v2`. */
export function remoteOpenApi({ load, now }: { load(service: Frozen<ApiService>): Promise<string>; now(): number }): RemoteOpenApi {
  const known = new Map<string, Known>();

  function documentOf(service: Frozen<ApiService>): Promise<RemoteDocument | undefined> {
    const name = service.metadata.name!, last = known.get(name);
    if (last && last.until > now()) return last.document;
    const asked: Known = { until: now() + freshMs, document: load(service).then((text) => part(text, service.spec), () => {
      asked.until = now() + retryMs;
      return last?.document;
    }) };
    known.set(name, asked);
    return asked.document;
  }

  return {
    documents: async (services) => (await Promise.all(services.map(documentOf))).filter((document) => document !== undefined),
    forget: (name) => void known.delete(name),
  };
}

/** What of a server's document is of the group and version that it is asked for; kept as text until it is needed. */
function part(text: string, { group = "", version = "" }: { group?: string; version?: string }): RemoteDocument {
  return {
    fingerprint: `${apiServiceName(group, version)}:${createHash("sha256").update(text).digest("hex").slice(0, 32)}`,
    open() {
      const document = JSON.parse(text) as { paths?: Record<string, JsonObject>; definitions?: Record<string, JsonObject>; parameters?: Record<string, JsonObject> };
      const prefix = `/apis/${group}/${version}/`;
      const paths = Object.fromEntries(Object.entries(document.paths ?? {}).filter(([path]) => path.startsWith(prefix)).map(([path, item]) => [path, withParameters(item, document.parameters ?? {}) as JsonObject]));
      return { paths, schemas: reachable(paths, document.definitions ?? {}) };
    },
  };
}

const sharedParameter = "#/parameters/";

/** Parameters that a document shares stand where they are used. */
function withParameters(value: unknown, shared: Readonly<Record<string, JsonObject>>): unknown {
  if (Array.isArray(value)) return value.map((each) => withParameters(each, shared));
  if (!isObject(value)) return value;
  if (typeof value.$ref === "string" && value.$ref.startsWith(sharedParameter)) return shared[value.$ref.slice(sharedParameter.length)] ?? {};
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withParameters(inner, shared)]));
}

function reachable(paths: object, definitions: Readonly<Record<string, JsonObject>>): Record<string, JsonObject> {
  const found: Record<string, JsonObject> = {};
  const follow = (value: object): void => {
    for (const [, name = ""] of JSON.stringify(value).matchAll(/"#\/definitions\/([^"]+)"/g)) {
      if (Object.hasOwn(found, name) || !Object.hasOwn(definitions, name)) continue;
      found[name] = definitions[name]!;
      follow(definitions[name]!);
    }
  };
  follow(paths);
  return found;
}
