import { readdirSync, readFileSync, statSync } from "node:fs";
import { extname, join } from "node:path";
import { isObject } from "../apimachinery/own.ts";
import { parseYamlDocuments } from "../apimachinery/schema/yaml.ts";
import type { Resource } from "./discovery.ts";
import { KubectlError } from "./errors.ts";
import { bool, list } from "./flags.ts";
import type { PlainObject } from "./objects.ts";
import type { Session, Terminal } from "./session.ts";

export const manifestFlags = {
  filename: list("The files, directories or URLs that contain the resources; - is standard input.", { short: "f" }),
  recursive: bool("Process the directory used in -f, --filename recursively.", { short: "R" }),
} as const;

/** An object that a user wrote down, and where: a file, a URL or STDIN. */
export interface Manifest {
  object: PlainObject;
  source: string;
}

const extensions = [".json", ".yaml", ".yml"];
const remote = /^https?:\/\//;

/** All objects in what `-f` names, in order; Lists are taken apart. */
export async function readManifests({ filename, recursive }: { filename: readonly string[]; recursive: boolean }, { stdin }: Pick<Terminal, "stdin">): Promise<Manifest[]> {
  const manifests: Manifest[] = [];
  if (filename.filter((name) => name === "-").length > 1) throw new KubectlError("standard input cannot be used for multiple arguments");
  for (const name of filename) {
    if (name === "-") manifests.push(...objectsIn(await textOf(stdin), "STDIN"));
    else if (remote.test(name)) manifests.push(...objectsIn(await download(name), name));
    else for (const file of filesIn(name, recursive)) manifests.push(...objectsIn(readFileSync(file, "utf8"), file));
  }
  return manifests;
}

export async function textOf(stdin: AsyncIterable<Uint8Array | string>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString();
}

async function download(url: string): Promise<string> {
  const response = await fetch(url).catch((error: Error) => {
    throw new KubectlError(`unable to read URL ${JSON.stringify(url)}: ${error.message}`);
  });
  if (!response.ok) throw new KubectlError(`unable to read URL ${JSON.stringify(url)}, server reported ${response.status} ${response.statusText}, status code=${response.status}`);
  return response.text();
}

/** A file, or those of a directory whose names look like manifests. */
function filesIn(path: string, recursive: boolean): string[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) throw new KubectlError(`the path ${JSON.stringify(path)} does not exist`);
  if (!stat.isDirectory()) return [path];
  const files = readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1)).flatMap((entry) => {
    const inside = join(path, entry.name);
    if (entry.isDirectory()) return recursive ? filesIn(inside, true) : [];
    return extensions.includes(extname(entry.name)) ? [inside] : [];
  });
  if (files.length === 0 && !recursive) throw new KubectlError(`error reading [${path}]: recognized file extensions are [${extensions.join(" ")}]`);
  return files;
}

export function objectsIn(text: string, source: string): Manifest[] {
  let documents: unknown[];
  try {
    documents = parseYamlDocuments(text);
  } catch (error) {
    throw new KubectlError(`error parsing ${source}: ${(error as Error).message}`);
  }
  return documents.filter((document) => document !== null && document !== undefined).flatMap((document) => flatten(document, source));
}

function flatten(document: unknown, source: string): Manifest[] {
  const object = document as PlainObject;
  const missing = isObject(document) ? ["apiVersion", "kind"].filter((field) => typeof document[field] !== "string" || document[field] === "") : ["apiVersion", "kind"];
  if (missing.length) throw new KubectlError(`error validating ${JSON.stringify(source)}: error validating data: ${missing.length > 1 ? `[${missing.map((field) => `${field} not set`).join(", ")}]` : `${missing[0]} not set`}; if you choose to ignore these errors, turn validation off with --validate=false`);
  if (Array.isArray(object.items) && object.kind!.endsWith("List")) return object.items.flatMap((item) => flatten({ ...item, ...(object.kind === "List" ? {} : { apiVersion: item.apiVersion ?? object.apiVersion, kind: item.kind ?? object.kind!.slice(0, -4) }) }, source));
  return [{ object: isObject(object.metadata) ? object : { ...object, metadata: {} }, source }];
}

export interface Resolved {
  resource: Resource;
  /** Where the object lives; undefined for what has no namespace. */
  namespace: string | undefined;
}

/** The type of a manifest's object and its namespace, which the object gets too if it has none. */
export async function resolveManifest(session: Session, { object, source }: Manifest): Promise<Resolved> {
  const { metadata } = object;
  const resource = await session.discovery.ofKind(object.apiVersion!, object.kind!).catch((error: unknown) => {
    if (!(error instanceof KubectlError) || !error.message.startsWith("no matches")) throw error;
    throw new KubectlError(`resource mapping not found for name: ${JSON.stringify(metadata.name ?? "")} namespace: ${JSON.stringify(metadata.namespace ?? "")} from ${JSON.stringify(source)}: ${error.message}`);
  });
  if (!resource.namespaced) return { resource, namespace: undefined };
  if (session.namespaceGiven && metadata.namespace && metadata.namespace !== session.namespace) {
    throw new KubectlError(`the namespace from the provided object ${JSON.stringify(metadata.namespace)} does not match the namespace ${JSON.stringify(session.namespace)}. You must pass '--namespace=${metadata.namespace}' to perform this operation.`);
  }
  metadata.namespace ||= session.namespace;
  return { resource, namespace: metadata.namespace };
}
