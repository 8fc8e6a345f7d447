import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { ResourceCard } from "../../apimachinery/resource.ts";
import { customresourcedefinitions } from "../../apis/apiextensions/customresourcedefinition.ts";
import type { Clock } from "../../base/clock.ts";
import { logger } from "../../base/log.ts";
import { Workqueue } from "../../base/workqueue.ts";
import type { Client } from "../../client/client.ts";
import type { ServedKinds } from "../../client/controller.ts";
import type { InformerFactory } from "../../client/informer.ts";
import type { EventRecorder } from "../../client/recorder.ts";
import { addonDefinition, addonGroup, addonNamespace, type AddOn } from "./addon.ts";
import { applyAddOn, removeAddOn, type AddOnDependencies } from "./apply-addon.ts";
import { readManifestFiles, type ManifestFile, type ManifestFiles } from "./manifest-files.ts";
import { objectsElsewhere } from "./objects-elsewhere.ts";
import { watchDirectory, type Look } from "./watch-directory.ts";

export interface ManifestsOptions {
  directory: string;
  /** May do anything: whoever writes the directory is root. */
  client: Client;
  kinds: ServedKinds;
  informers: InformerFactory;
  recorder: EventRecorder;
  clock: Clock;
}

const log = logger("manifests");
const retry = { baseDelay: 1000, maxDelay: 60_000 };

/**
 * Keeps the cluster as the files of a directory say: applies them at the start and when they change, and prunes what has gone from them.
 * What came of each stands in its AddOn. Resolves when `signal` has aborted and nothing is being applied.
 */
export async function runManifests({ directory, client, kinds, informers, recorder, clock }: ManifestsOptions, signal: AbortSignal): Promise<void> {
  const card = await addonCard(client, kinds, signal);
  if (!card) return;
  const queue = new Workqueue({ clock, ...retry });
  const stop = (): void => queue.shutDown();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const addons = informers.informer(card, { namespace: addonNamespace });
  await addons.synced(signal).catch(() => undefined);
  const known = addons.lister.list(addonNamespace).map(({ metadata: { name }, spec: { source } }) => [name!, { name: name!, source, path: join(directory, source), stamp: "" }] as const);
  /** What is followed: at first what the AddOns say, so that a file that went while nobody looked is missed. */
  let files: ManifestFiles = { files: new Map<string, ManifestFile>(known), held: new Set(), refused: [], unwatched: false };
  const dependencies: AddOnDependencies = {
    client, kinds, recorder, clock, card, directory,
    elsewhere: (name) => objectsElsewhere(name, files, addons.lister.list(addonNamespace), kinds),
    again: (name) => queue.add(name),
  };

  function look(): Look {
    const before = files;
    try {
      files = readManifestFiles(directory, before.files);
    } catch (error) {
      // Nothing is pruned because a directory can't be read.
      log.error("The manifests directory can't be read; what it brought stays as it was", { directory, error });
      return "failed";
    }
    for (const sentence of files.refused) if (!before.refused.includes(sentence)) log.warn(sentence);
    for (const [name, file] of files.files) if (before.files.get(name)?.stamp !== file.stamp) queue.add(name);
    for (const name of [...before.files.keys(), ...before.held]) if (!files.files.has(name) && !files.held.has(name)) queue.add(name);
    return files.unwatched ? "unwatched" : "complete";
  }

  async function work(name: string): Promise<void> {
    const served = servedCard(kinds) ?? await addonCard(client, kinds, signal);
    if (!served) return;
    dependencies.card = served;
    const file = files.files.get(name);
    if (file) return applyAddOn(file, dependencies);
    const addon = addons.lister.get(`${addonNamespace}/${name}`);
    if (addon && !files.held.has(name)) await removeAddOn(addon, dependencies);
  }

  const watching = watchDirectory(directory, clock, look, signal);
  // Who deletes an AddOn has its file applied again, as one deletes a pod to have it made anew.
  const end = addons.onChange((old, current) => {
    if (old && !current) queue.add(old.metadata.name!);
  });
  for (let name = await queue.get(); name !== undefined; name = await queue.get()) {
    try {
      if (!signal.aborted) await work(name);
      queue.forget(name);
    } catch (error) {
      queue.addRateLimited(name);
      if (!signal.aborted) log.warn("A manifest could not be applied, it will be tried again", { name, error, failures: queue.failures(name) });
    }
    queue.done(name);
  }
  end();
  await watching;
}

const servedCard = ({ cards }: ServedKinds): ResourceCard<AddOn> | undefined => cards.find(({ group, resource }) => group === addonGroup && resource === "addons") as ResourceCard<AddOn> | undefined;

/** The kind AddOn, defined if it isn't; undefined when stopped before it was served. */
async function addonCard(client: Client, kinds: ServedKinds, signal: AbortSignal): Promise<ResourceCard<AddOn> | undefined> {
  // As it is served: it is stored and deleted otherwise than its bare card says.
  const definitions = kinds.cards.find(({ group, resource }) => group === customresourcedefinitions.group && resource === customresourcedefinitions.resource) ?? customresourcedefinitions;
  await client.patch(definitions, { name: addonDefinition.metadata.name! }, { type: "application/apply-patch+yaml", body: addonDefinition, force: true }, { fieldManager: "skiff" });
  for (let card = servedCard(kinds); !signal.aborted; card = servedCard(kinds)) {
    if (card) return card;
    const changed = Promise.withResolvers<void>();
    const end = kinds.onChange(changed.resolve);
    signal.addEventListener("abort", () => changed.resolve(), { once: true });
    if (servedCard(kinds)) changed.resolve();
    await changed.promise;
    end();
  }
  return undefined;
}
