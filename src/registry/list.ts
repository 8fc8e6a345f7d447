import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { ResourceCard } from "../apimachinery/resource.ts";
import { badRequest, expired, notFound } from "../apimachinery/status.ts";
import type { ListOptions, ObjectKey, ObjectList } from "../client/client.ts";
import type { Cacher, Entry } from "../storage/cacher/cacher.ts";
import { StorageError } from "../storage/storage.ts";
import { decodeContinue, encodeContinue } from "./continue-token.ts";
import { freshEnough, parseRevision, validateListOptions } from "./list-options.ts";
import { parseSelection, type Selection } from "./selection.ts";
import { prefixOf, storageKey, tooOldToList, translate } from "./store.ts";
import { servedEntries, servedEntry } from "./stored-form.ts";

/** GET of one object; a resourceVersion asks for a state at least that new. */
export async function getObject<T extends KubeObject>(cacher: Cacher, card: ResourceCard<T>, key: ObjectKey, { resourceVersion }: { resourceVersion?: string } = {}): Promise<Frozen<T>> {
  await freshEnough(cacher, resourceVersion);
  const entry = await servedEntry(card, cacher.get(storageKey(card, key)));
  if (!entry) throw notFound(card, key.name);
  return entry.object;
}

interface Reading<T extends KubeObject> {
  card: ResourceCard<T>;
  prefix: string;
  selection: Selection<T>;
  /** 0 for no limit. */
  limit: number;
  /** The full key of the last object already returned. */
  after?: string;
}

/** LIST. Reads the newest state unless options say which; chunks are all of the first one's revision. */
export async function listObjects<T extends KubeObject>(cacher: Cacher, card: ResourceCard<T>, options: ListOptions): Promise<ObjectList<T>> {
  validateListOptions(options);
  const prefix = prefixOf(card, options.namespace);
  const reading: Reading<T> = { card, prefix, selection: parseSelection(card, options), limit: options.limit ?? 0 };
  const revision = parseRevision(options.resourceVersion);
  if (options.continue) return nextPage(cacher, reading, options.continue, revision);
  await freshEnough(cacher, options.resourceVersion);
  const exact = options.resourceVersionMatch === "Exact" || (!options.resourceVersionMatch && reading.limit > 0 && revision > 0);
  if (!exact || revision === cacher.revision) return readNow(cacher, reading, options.namespace);
  return readPast(cacher, reading, revision, () => expired(tooOldToList));
}

async function nextPage<T extends KubeObject>(cacher: Cacher, reading: Reading<T>, token: string, revision: number): Promise<ObjectList<T>> {
  if (revision > 0) throw badRequest("specifying resource version is not allowed when using continue");
  const position = decodeContinue(token);
  const from = { ...reading, after: reading.prefix + position.after };
  if (position.revision < 0 || position.revision === cacher.revision) return paged(from, cacher.list(from.prefix, { after: from.after }), cacher.revision);
  return readPast(cacher, from, position.revision, () => expired(tooOldToContinue, encodeContinue({ revision: -1, after: position.after })));
}

const tooOldToContinue = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, "
  + "or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, "
  + "modified, or deleted between the time the first chunk was returned and now may show up in the list.";

function readNow<T extends KubeObject>(cacher: Cacher, reading: Reading<T>, namespace: string | undefined): Promise<ObjectList<T>> {
  const { card, selection: { name } } = reading;
  if (name !== undefined && (namespace || card.scope === "Cluster")) {
    const entry = cacher.get(storageKey(card, { namespace, name }));
    return paged(reading, entry ? [entry] : [], cacher.revision);
  }
  return paged(reading, cacher.list(reading.prefix), cacher.revision);
}

/** Takes the first `limit` matches of entries in key order. */
async function paged<T extends KubeObject>({ card, prefix, selection, limit }: Reading<T>, stored: readonly Entry[], revision: number): Promise<ObjectList<T>> {
  const entries = await servedEntries(card, stored);
  const items: Frozen<T>[] = [];
  let last: string | undefined;
  for (const entry of entries) {
    if (!selection.matches(entry.object)) continue;
    if (limit && items.length === limit) return { items, metadata: { resourceVersion: String(revision), ...rest(last!, selection.all ? entries.length - limit : undefined) } };
    items.push(entry.object);
    last = entry.key;
  }
  return { items, metadata: { resourceVersion: String(revision) } };

  function rest(lastKey: string, remaining: number | undefined): { continue: string; remainingItemCount?: number } {
    const token = encodeContinue({ revision, after: lastKey.slice(prefix.length) });
    return { continue: token, ...(remaining === undefined ? {} : { remainingItemCount: remaining }) };
  }
}

/** Reads an older revision from history, page by page until the limit is met: a selector may drop most of a page. */
async function readPast<T extends KubeObject>(cacher: Cacher, { card, prefix, selection, limit, after }: Reading<T>, revision: number, tooOld: () => Error): Promise<ObjectList<T>> {
  const items: Frozen<T>[] = [];
  let position = after;
  for (;;) {
    const page = await cacher.snapshot(prefix, revision, { after: position, ...(limit ? { limit } : {}) }).catch((error: unknown) => {
      throw error instanceof StorageError && error.code === "compacted" ? tooOld() : translate(error, card, "");
    });
    for (const [index, entry] of (await servedEntries(card, page.items)).entries()) {
      if (selection.matches(entry.object)) items.push(entry.object);
      position = entry.key;
      if (!limit || items.length < limit) continue;
      const behind = page.items.length - index - 1;
      if (behind === 0 && !page.more) break;
      const remaining = selection.all && page.remaining !== undefined ? page.remaining + behind : undefined;
      return { items, metadata: { resourceVersion: String(revision), continue: encodeContinue({ revision, after: position.slice(prefix.length) }), ...(remaining === undefined ? {} : { remainingItemCount: remaining }) } };
    }
    if (!page.more || page.items.length === 0) return { items, metadata: { resourceVersion: String(revision) } };
  }
}
