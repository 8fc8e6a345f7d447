import { mkdirSync, watch, type FSWatcher } from "node:fs";
import type { ResourceCard } from "../../apimachinery/resource.ts";
import { isNotFound } from "../../apimachinery/status.ts";
import { customresourcedefinitions } from "../../apis/apiextensions/customresourcedefinition.ts";
import type { Clock } from "../../base/clock.ts";
import { logger } from "../../base/log.ts";
import { Workqueue } from "../../base/workqueue.ts";
import type { Client } from "../../client/client.ts";
import type { ServedKinds } from "../../client/controller.ts";
import type { EventRecorder } from "../../client/recorder.ts";
import { addonDefinition, addonGroup, addonNamespace, type AddOn } from "./addon.ts";
import { applyAddOn, removeAddOn, type AddOnDependencies } from "./apply-addon.ts";
import { readManifestFiles, type ManifestFiles } from "./manifest-files.ts";

export interface ManifestsOptions {
  directory: string;
  /** May do anything: whoever writes the directory is root. */
  client: Client;
  kinds: ServedKinds;
  recorder: EventRecorder;
  clock: Clock;
}

const log = logger("manifests");
/** Editors and copies write in several steps: files are read when nothing has changed for so long, in milliseconds. */
const settleMs = 300;
/** How often the directory is looked at where changes can't be watched. */
const lookMs = 15_000;
const retry = { baseDelay: 1000, maxDelay: 60_000 };

/**
 * Keeps the cluster as the files of a directory say: applies them at the start and when they change, and prunes what has gone from them.
 * What came of each stands in its AddOn. Resolves when `signal` has aborted and nothing is being applied.
 */
export async function runManifests({ directory, client, kinds, recorder, clock }: ManifestsOptions, signal: AbortSignal): Promise<void> {
  const card = await addonCard(client, kinds, signal);
  if (!card) return;
  const dependencies: AddOnDependencies = { client, kinds, recorder, clock, card, directory };
  const queue = new Workqueue({ clock, ...retry });
  const stop = (): void => queue.shutDown();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  let files: ManifestFiles = { files: new Map(), skipped: new Set(), refused: [] };

  function look(): void {
    const before = files;
    try {
      files = readManifestFiles(directory);
    } catch (error) {
      // Nothing is pruned because a directory can't be read.
      return log.error("The manifests directory can't be read; what it brought stays as it was", { directory, error });
    }
    for (const sentence of files.refused) if (!before.refused.includes(sentence)) log.warn(sentence);
    for (const [name, file] of files.files) if (before.files.get(name)?.stamp !== file.stamp) queue.add(name);
    for (const name of before.files.keys()) if (!files.files.has(name)) queue.add(name);
    for (const name of before.skipped) if (!files.skipped.has(name)) queue.add(name);
  }

  async function work(name: string): Promise<void> {
    const file = files.files.get(name);
    if (file) return applyAddOn(file, dependencies);
    if (files.skipped.has(name)) return;
    const addon = await client.get(card!, { namespace: addonNamespace, name }).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
    if (addon) await removeAddOn(addon, dependencies);
  }

  const watching = watchDirectory(directory, clock, look, signal);
  look();
  for (const { metadata: { name } } of (await client.list(card, { namespace: addonNamespace })).items) if (!files.files.has(name!)) queue.add(name!);
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
  await watching;
}

/** The kind AddOn, defined if it isn't; undefined when stopped before it was served. */
async function addonCard(client: Client, kinds: ServedKinds, signal: AbortSignal): Promise<ResourceCard<AddOn> | undefined> {
  await client.patch(customresourcedefinitions, { name: addonDefinition.metadata.name! }, { type: "application/apply-patch+yaml", body: addonDefinition, force: true }, { fieldManager: "skiff" });
  const find = (): ResourceCard<AddOn> | undefined => kinds.cards.find(({ group, resource }) => group === addonGroup && resource === "addons") as ResourceCard<AddOn> | undefined;
  for (let card = find(); !signal.aborted; card = find()) {
    if (card) return card;
    const changed = Promise.withResolvers<void>();
    const end = kinds.onChange(changed.resolve);
    signal.addEventListener("abort", () => changed.resolve(), { once: true });
    if (find()) changed.resolve();
    await changed.promise;
    end();
  }
  return undefined;
}

/** Calls `look` once changes below a directory have settled, until `signal` aborts. */
async function watchDirectory(directory: string, clock: Clock, look: () => void, signal: AbortSignal): Promise<void> {
  let wake: () => void = () => undefined;
  let changes = 0;
  const changed = (): void => {
    changes++;
    wake();
  };
  const watcher = watchTree(directory, changed);
  signal.addEventListener("abort", changed, { once: true });
  for (let seen = 0; !signal.aborted;) {
    if (!watcher) await clock.sleep(lookMs, signal).catch(() => undefined);
    else if (changes === seen) await new Promise<void>((resolve) => { wake = resolve; });
    while (!signal.aborted && changes !== seen) {
      seen = changes;
      await clock.sleep(settleMs, signal).catch(() => undefined);
    }
    if (!signal.aborted) look();
  }
  watcher?.close();
}

function watchTree(directory: string, changed: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(directory, { recursive: true }, changed);
    watcher.on("error", (error) => log.warn("Changes of the manifests directory are not seen any more: restart the server to have them applied", { directory, error }));
    return watcher;
  } catch (error) {
    log.warn(`Changes of the manifests directory can't be watched (is fs.inotify.max_user_watches too low?): it is looked at every ${lookMs / 1000} s`, { directory, error });
    return undefined;
  }
}
