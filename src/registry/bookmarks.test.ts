import { expect, test } from "bun:test";
import { configmaps, pods } from "../apis/builtins.ts";
import { eventually } from "../../test/support/eventually.ts";
import { Bookmarks } from "./bookmarks.ts";
import { watchObjects } from "./watch.ts";
import { startRegistry } from "./testing/fixture.ts";
import { configMap, namespace } from "../../test/contract/client-samples.ts";

test("an idle watch learns how far the store has come, once per revision, and only when it asked", async () => {
  await using f = await startRegistry();
  const { metadata: { resourceVersion } } = await f.client.create(configmaps, configMap("a"));
  await f.client.create(configmaps, configMap("b"));
  const bookmarks = new Bookmarks(() => f.cacher.revision, 5);
  const stop = new AbortController();
  const told: string[] = [], untold: string[] = [];
  const watching = Promise.all([
    watchObjects({ cacher: f.cacher, bookmarks }, pods, { resourceVersion, allowWatchBookmarks: true }, (events) => told.push(...events.map(({ type, object }) => `${type} ${object.metadata.resourceVersion}`)), stop.signal),
    watchObjects({ cacher: f.cacher, bookmarks }, pods, { resourceVersion }, (events) => untold.push(...events.map(({ type }) => type)), stop.signal),
  ]);
  await eventually(() => expect(told).toEqual([`BOOKMARK ${f.cacher.revision}`]));
  const first = f.cacher.revision;
  const third = await f.client.create(configmaps, { metadata: { name: "c", namespace } });
  await eventually(() => expect(told).toEqual([`BOOKMARK ${first}`, `BOOKMARK ${third.metadata.resourceVersion}`]));
  expect(untold).toEqual([]);
  stop.abort();
  await watching;
});
