import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { isObject } from "../../apimachinery/own.ts";
import { parseYamlDocuments } from "../../apimachinery/schema/yaml.ts";
import type { ObjectRecord } from "./addon.ts";

/** A file that says nothing that could be applied; the message says where and why. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
}

/** An object of a file, and what it is called. */
export interface Manifest {
  object: KubeObject;
  record: ObjectRecord;
}

/** The objects of a file, Lists taken apart. Throws a `ManifestError`. */
export function readManifests(text: string): KubeObject[] {
  let documents: unknown[];
  try {
    documents = parseYamlDocuments(text);
  } catch (error) {
    throw new ManifestError((error as Error).message);
  }
  return documents.flatMap((document, i) => (document === null || document === undefined ? [] : objectsOf(document, documents.length > 1 ? `document ${i + 1}: ` : "")));
}

function objectsOf(document: unknown, where: string): KubeObject[] {
  if (!isObject(document)) throw new ManifestError(`${where}a Kubernetes object is wanted, with apiVersion, kind and metadata`);
  const missing = ["apiVersion", "kind"].filter((field) => typeof document[field] !== "string" || document[field] === "");
  if (missing.length > 0) throw new ManifestError(`${where}${missing.join(" and ")} not set`);
  if (Array.isArray(document.items) && (document.kind as string).endsWith("List")) return document.items.flatMap((item, i) => objectsOf(item, `${where}item ${i + 1}: `));
  const { metadata } = document;
  if (!isObject(metadata) || typeof metadata.name !== "string" || metadata.name === "") throw new ManifestError(`${where}metadata.name of the ${String(document.kind)} not set (generateName can't be applied again)`);
  return [document as unknown as KubeObject];
}

/** What others need comes first: namespaces, then definitions; otherwise as in the file. */
const rank = ({ record: { group, kind } }: Manifest): number => (kind === "Namespace" && !group ? 0 : kind === "CustomResourceDefinition" ? 1 : 2);

/** Whether objects of the kind live in namespaces; undefined when it isn't served (yet). */
export type IsNamespaced = (kind: { group?: string; kind: string; version: string }) => boolean | undefined;

/** Names the objects, in the order of applying. */
export function nameManifests(objects: readonly KubeObject[], isNamespaced: IsNamespaced): Manifest[] {
  const manifests = objects.map((object) => {
    const [group, version] = object.apiVersion!.includes("/") ? object.apiVersion!.split("/", 2) as [string, string] : ["", object.apiVersion!];
    const record: ObjectRecord = { ...(group ? { group } : {}), version, kind: object.kind!, namespace: object.metadata.namespace ?? "default", name: object.metadata.name! };
    return { object, record: placed(record, isNamespaced) };
  });
  return manifests.toSorted((a, b) => rank(a) - rank(b));
}

/** A record of a kind whose scope was not known when it was made may have a namespace too many. */
function placed(record: Frozen<ObjectRecord>, isNamespaced: IsNamespaced): ObjectRecord {
  if (isNamespaced(record) !== false) return { ...record };
  const { namespace: _, ...clusterScoped } = record;
  return clusterScoped;
}

/** The same object, whatever version it is written in. */
export const identityOf = ({ group = "", kind, namespace = "", name }: Frozen<ObjectRecord>): string => `${group}/${kind}/${namespace}/${name}`;

export interface AddOnPlan {
  /** To be written down before anything is applied, so that nothing is ever in the cluster that nobody knows of. */
  intended: ObjectRecord[];
  /** Objects of before that the file has no longer, in the order of deleting: what was applied last goes first. */
  prune: ObjectRecord[];
}

/** What is to be written down and pruned, given what is recorded of before. Pure. */
export function planAddOn(manifests: readonly Manifest[], known: readonly Frozen<ObjectRecord>[], isNamespaced: IsNamespaced): AddOnPlan {
  const recorded = new Map(known.map((record) => [identityOf(placed(record, isNamespaced)), placed(record, isNamespaced)]));
  const wanted = new Map(manifests.map(({ record }) => [identityOf(record), record]));
  const gone = [...recorded].filter(([identity]) => !wanted.has(identity)).map(([, record]) => record);
  const kept = [...wanted].map(([identity, record]) => ({ ...record, ...(recorded.get(identity)?.uid ? { uid: recorded.get(identity)!.uid } : {}) }));
  return { intended: [...kept, ...gone], prune: gone.toReversed() };
}
