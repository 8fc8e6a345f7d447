import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { thaw, type Condition, type Frozen, type KubeObject } from "../../apimachinery/meta.ts";
import type { AnyResource, ResourceCard } from "../../apimachinery/resource.ts";
import { isNotFound } from "../../apimachinery/status.ts";
import { formatTime } from "../../apimachinery/time.ts";
import type { Clock } from "../../base/clock.ts";
import type { Client } from "../../client/client.ts";
import type { ServedKinds } from "../../client/controller.ts";
import type { EventRecorder } from "../../client/recorder.ts";
import { addonGroup, addonNamespace, type AddOn, type ObjectRecord } from "./addon.ts";
import type { ManifestFile } from "./manifest-files.ts";
import { scopesOf } from "./objects-elsewhere.ts";
import { identityOf, type Manifest, ManifestError, nameManifests, planAddOn, readManifests } from "./plan.ts";

const fieldManager = "skiff-manifests";
/** On every object of a file: which AddOn may prune it. */
export const ownerAnnotation = `${addonGroup}/name`;

export interface AddOnDependencies {
  client: Client;
  kinds: ServedKinds;
  recorder: EventRecorder;
  clock: Clock;
  card: ResourceCard<AddOn>;
  /** For Events. */
  directory: string;
  /** Which other file wants an object, by the object's identity. */
  elsewhere(addon: string): Promise<ReadonlyMap<string, string>>;
  /** Has a file applied once more. */
  again(addon: string): void;
}

/** Makes the cluster hold what the file says, and nothing of what it said before. Throws when that did not succeed and trying again may help. */
export async function applyAddOn(file: ManifestFile, dependencies: AddOnDependencies): Promise<void> {
  const { recorder } = dependencies;
  const text = await readFile(file.path, "utf8").catch((error: Error) => error);
  if (text instanceof Error) return refuseUnreadable(file, text, dependencies);
  let addon = await ensureAddOn(file, createHash("sha256").update(text).digest("hex"), dependencies);
  let objects: KubeObject[];
  try {
    // Power that fails while a file is written leaves nothing or zeros in it: that is no wish to have everything deleted.
    if (/^[\s\0]*$/.test(text) && addon.status?.objects?.length) throw new ManifestError("the file is empty (remove it to delete what it brought)");
    objects = readManifests(text);
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    recorder.event(addon, "Warning", "ParseManifestFailed", `Parse manifest at ${JSON.stringify(file.path)} failed: ${error.message}`);
    await writeStatus(addon, addon.status?.objects ?? [], { status: "False", reason: "ParseFailed", message: `${error.message}; nothing was changed` }, dependencies);
    return;
  }
  const isNamespaced = scopesOf(dependencies.kinds);
  const manifests = nameManifests(objects, isNamespaced);
  const { intended, prune } = planAddOn(manifests, addon.status?.objects ?? [], isNamespaced);
  addon = await writeStatus(addon, intended, undefined, dependencies);
  const uids = new Map<string, string>();
  const failures = await applyAll(file.name, manifests, uids, dependencies);
  if (failures.length === 0) failures.push(...await pruneAll(file.name, prune, dependencies));
  const records = intended.map((record) => ({ ...record, ...(uids.has(identityOf(record)) ? { uid: uids.get(identityOf(record))! } : {}) }));
  if (failures.length > 0) {
    const message = sentenceOf(failures);
    recorder.event(addon, "Warning", "ApplyManifestFailed", `Applying manifest at ${JSON.stringify(file.path)} failed: ${message}`);
    await writeStatus(addon, records, { status: "False", reason: "ApplyFailed", message }, dependencies);
    throw new Error(message);
  }
  const known = addon.status?.conditions?.find(({ type }) => type === "Applied");
  const changed = await writeStatus(addon, records.slice(0, records.length - prune.length), { status: "True", reason: "Applied", message: "" }, dependencies);
  if (changed !== addon || known?.status !== "True") recorder.event(addon, "Normal", "AppliedManifest", `Applied manifest at ${JSON.stringify(file.path)}`);
}

/** Says that a file is there but can't be read: what it brought stays as it was, and it is tried again. */
async function refuseUnreadable(file: ManifestFile, error: Error, dependencies: AddOnDependencies): Promise<never> {
  const known = await ignoreNotFound(dependencies.client.get(dependencies.card, { namespace: addonNamespace, name: file.name }));
  const addon = known ?? await ensureAddOn(file, "", dependencies);
  dependencies.recorder.event(addon, "Warning", "ReadManifestFailed", `Read manifest at ${JSON.stringify(file.path)} failed: ${error.message}`);
  await writeStatus(addon, addon.status?.objects ?? [], { status: "False", reason: "ReadFailed", message: `${error.message}; nothing was changed` }, dependencies);
  throw error;
}

/** So many failures are told of: a file may have thousands of objects. */
const mostTold = 5;

function sentenceOf(failures: readonly string[]): string {
  const more = failures.length - mostTold;
  return [...failures.slice(0, mostTold), ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
}

/** Deletes what a file that is gone had brought, then its AddOn. */
export async function removeAddOn(addon: Frozen<AddOn>, dependencies: AddOnDependencies): Promise<void> {
  const { client, card, recorder, directory } = dependencies;
  const { name } = addon.metadata;
  recorder.event(addon, "Normal", "DeletingManifest", `Deleting manifest at ${JSON.stringify(`${directory}/${addon.spec.source}`)}`);
  const failures = await pruneAll(name!, (addon.status?.objects ?? []).toReversed(), dependencies);
  if (failures.length > 0) {
    recorder.event(addon, "Warning", "DeleteManifestFailed", sentenceOf(failures));
    throw new Error(sentenceOf(failures));
  }
  await ignoreNotFound(client.delete(card, { namespace: addonNamespace, name: name! }, { preconditions: { uid: addon.metadata.uid } }));
}

/** The AddOn of a file, naming its source and the content that is being applied. */
async function ensureAddOn({ name, source }: ManifestFile, checksum: string, { client, card }: AddOnDependencies): Promise<Frozen<AddOn>> {
  const spec = { source, checksum };
  const known = await ignoreNotFound(client.get(card, { namespace: addonNamespace, name }));
  if (!known) return client.create(card, { apiVersion: `${addonGroup}/v1`, kind: "AddOn", metadata: { name, namespace: addonNamespace }, spec });
  if (Bun.deepEquals(known.spec, spec)) return known;
  return client.update(card, { ...thaw<AddOn>(known), spec });
}

/** Applies one after the other, also after one that fails; notes their uids by identity. Returns a sentence for each failure. */
async function applyAll(addon: string, manifests: readonly Manifest[], uids: Map<string, string>, dependencies: AddOnDependencies): Promise<string[]> {
  const failures: string[] = [];
  for (const { object, record } of manifests) {
    try {
      const applied = await applyObject(addon, object, record, dependencies);
      uids.set(identityOf(record), applied.metadata.uid!);
    } catch (error) {
      failures.push(`${record.kind} ${record.namespace ? `${record.namespace}/` : ""}${record.name}: ${(error as Error).message}`);
    }
  }
  return failures;
}

async function applyObject(addon: string, object: KubeObject, record: ObjectRecord, { client, kinds }: AddOnDependencies): Promise<Frozen<KubeObject>> {
  const card = cardOf(record, kinds);
  if (!card) throw new Error(`no matches for kind ${JSON.stringify(record.kind)} in version ${JSON.stringify(object.apiVersion)}; it is tried again, in case its definition is still to come`);
  const namespaced = card.scope === "Namespaced";
  const { namespace: given, managedFields: _, ...metadata } = object.metadata;
  const namespace = namespaced ? given ?? "default" : undefined;
  const body = { ...object, metadata: { ...metadata, ...(namespace ? { namespace } : {}), annotations: { ...metadata.annotations, [ownerAnnotation]: addon } } };
  return client.patch<KubeObject>(card, { namespace, name: record.name }, { type: "application/apply-patch+yaml", body, force: true }, { fieldManager });
}

/** Deletes the objects that still are this AddOn's and that no other file wants, which is applied again then; returns a sentence for each that could not be. */
async function pruneAll(addon: string, records: readonly Frozen<ObjectRecord>[], { client, kinds, elsewhere, again }: AddOnDependencies): Promise<string[]> {
  const failures: string[] = [];
  const wanted = records.length > 0 ? await elsewhere(addon) : new Map<string, string>();
  for (const record of records) {
    const other = wanted.get(identityOf(record));
    if (other !== undefined) {
      again(other);
      continue;
    }
    const card = cardOf(record, kinds) ?? kinds.cards.find(({ group, kind }) => group === (record.group ?? "") && kind === record.kind);
    // A kind that isn't served any more took its objects with it.
    if (!card) continue;
    const key = { ...(card.scope === "Namespaced" ? { namespace: record.namespace ?? "default" } : {}), name: record.name };
    try {
      const found = await ignoreNotFound(client.get<KubeObject>(card, key));
      if (!found || found.metadata.annotations?.[ownerAnnotation] !== addon || (record.uid && record.uid !== found.metadata.uid)) continue;
      await ignoreNotFound(client.delete(card, key, { propagationPolicy: "Background", preconditions: { uid: found.metadata.uid } }));
    } catch (error) {
      failures.push(`${record.kind} ${record.name} could not be deleted: ${(error as Error).message}`);
    }
  }
  return failures;
}

function cardOf({ group = "", version, kind }: Pick<ObjectRecord, "group" | "version" | "kind">, { cards }: ServedKinds): AnyResource | undefined {
  return cards.find((card) => card.group === group && card.kind === kind && card.version === version);
}

async function ignoreNotFound<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Writes the records, and the condition Applied if it is given; returns the AddOn as it is then, the same one when nothing changed. */
async function writeStatus(addon: Frozen<AddOn>, objects: readonly ObjectRecord[], applied: Pick<Condition, "status" | "reason" | "message"> | undefined, { client, card, clock }: AddOnDependencies): Promise<Frozen<AddOn>> {
  const conditions = [...thaw<AddOn>(addon).status?.conditions ?? []];
  const known = conditions.findIndex(({ type }) => type === "Applied");
  if (applied) {
    const old = conditions[known];
    const condition: Condition = { type: "Applied", ...applied, observedGeneration: addon.metadata.generation, lastTransitionTime: old?.status === applied.status ? old.lastTransitionTime : formatTime(clock.now()) };
    if (known < 0) conditions.push(condition);
    else conditions[known] = condition;
  }
  const status = { objects: JSON.parse(JSON.stringify(objects)) as ObjectRecord[], ...(conditions.length ? { conditions } : {}) };
  if (Bun.deepEquals(status, addon.status)) return addon;
  return client.update(card, { ...thaw<AddOn>(addon), status }, { subresource: "status" });
}
