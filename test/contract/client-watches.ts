import { describe, expect, test } from "bun:test";
import { configmaps } from "../../src/apis/builtins.ts";
import type { ConfigMap } from "../../src/apis/generated/core/v1.ts";
import type { Client, WatchEvent, WatchOptions } from "../../src/client/client.ts";
import { configMap, namespace, refused } from "./client-samples.ts";

const key = { namespace, name: "a" };

export function clientWatches(client: () => Client): void {
  /** Watches until `count` events have come, for at most a minute. */
  async function watch(options: WatchOptions, count: number): Promise<WatchEvent<ConfigMap>[]> {
    const events: WatchEvent<ConfigMap>[] = [];
    for await (const event of client().watch(configmaps, { namespace, ...options }, AbortSignal.timeout(60_000))) {
      events.push(event);
      if (events.length === count) return events;
    }
    throw new Error(`only ${events.length} of ${count} events came: ${events.map(brief).join(", ")}`);
  }
  const brief = ({ type, object }: WatchEvent<ConfigMap>): string => `${type} ${object.metadata.name ?? ""}`.trim();
  const label = (tier: string | null): Promise<unknown> => client().patch(configmaps, key, { type: "application/merge-patch+json", body: { metadata: { labels: { tier } } } });

  describe("watch", () => {
    test("from a resourceVersion: everything after it, in order", async () => {
      const { metadata: { resourceVersion } } = await client().create(configmaps, configMap("before"));
      await client().create(configmaps, configMap("a"));
      await client().update(configmaps, configMap("a", { x: "1" }));
      const watching = watch({ resourceVersion }, 4);
      await client().delete(configmaps, key);
      await client().create(configmaps, configMap("b"));
      const events = await watching;
      expect(events.map(brief)).toEqual(["ADDED a", "MODIFIED a", "DELETED a", "ADDED b"]);
      const versions = events.map(({ object }) => Number(object.metadata.resourceVersion));
      expect(versions).toEqual(versions.toSorted((a, b) => a - b));
      expect((events[2]!.object as ConfigMap).data).toEqual({ x: "1" });
    });

    test("without one: first what exists", async () => {
      await client().create(configmaps, configMap("a"));
      await client().create(configmaps, configMap("b"));
      const watching = watch({}, 3);
      await new Promise((resolve) => setImmediate(resolve));
      await client().create(configmaps, configMap("c"));
      expect((await watching).map(brief)).toEqual(["ADDED a", "ADDED b", "ADDED c"]);
    });

    test("turns changes of what is selected into additions and deletions", async () => {
      const { metadata: { resourceVersion } } = await client().create(configmaps, configMap("a"));
      const watching = watch({ resourceVersion, labelSelector: "tier=x" }, 3);
      await label("x");
      await client().update(configmaps, configMap("a", { n: "1" }, { tier: "x" }));
      await label("y");
      const events = await watching;
      expect(events.map(brief)).toEqual(["ADDED a", "MODIFIED a", "DELETED a"]);
      expect(events[2]!.object.metadata.labels).toEqual({ tier: "x" });
      const now = await client().get(configmaps, key);
      expect(events[2]!.object.metadata.resourceVersion).toBe(now.metadata.resourceVersion!);
    });

    test("by name", async () => {
      const { metadata: { resourceVersion } } = await client().create(configmaps, configMap("a"));
      const watching = watch({ resourceVersion, fieldSelector: "metadata.name=b" }, 1);
      await client().update(configmaps, configMap("a", { n: "1" }));
      await client().create(configmaps, configMap("b"));
      expect((await watching).map(brief)).toEqual(["ADDED b"]);
    });

    test("as a streaming list: what exists, then a marked bookmark", async () => {
      await client().create(configmaps, configMap("a"));
      const events = await watch({ sendInitialEvents: true, resourceVersionMatch: "NotOlderThan", allowWatchBookmarks: true }, 2);
      expect(events.map(({ type }) => type)).toEqual(["ADDED", "BOOKMARK"]);
      expect(events[1]!.object.metadata.annotations).toEqual({ "k8s.io/initial-events-end": "true" });
      expect(events[1]!.object.metadata.resourceVersion).toBe((await client().list(configmaps, { namespace })).metadata.resourceVersion);
    });

    test("refuses options that make no sense", async () => {
      expect((await refused(watch({ sendInitialEvents: true }, 1))).code).toBe(422);
      expect((await refused(watch({ resourceVersionMatch: "NotOlderThan" }, 1))).code).toBe(422);
    });

    test("ends when its time is over", async () => {
      for await (const event of client().watch(configmaps, { namespace: "kube-node-lease", timeoutSeconds: 1 }, AbortSignal.timeout(60_000))) throw new Error(`unexpected ${event.type}`);
    });

    test("ends when it is told to", async () => {
      const stop = new AbortController();
      const seen: string[] = [];
      const ended = (async () => {
        for await (const event of client().watch(configmaps, { namespace }, stop.signal)) {
          seen.push(brief(event));
          stop.abort();
        }
      })();
      await client().create(configmaps, configMap("a"));
      await ended;
      expect(seen).toEqual(["ADDED a"]);
    });
  });
}
