import { expect, test } from "bun:test";
import { StatusError } from "../apimachinery/status.ts";
import { configmaps } from "../apis/builtins.ts";
import type { ConfigMap } from "../apis/generated/core/v1.ts";
import type { WatchEvent, WatchOptions } from "../client/client.ts";
import { configMap, namespace } from "../../test/contract/client-samples.ts";
import { startRegistry } from "./testing/fixture.ts";

/** What a client that only follows events believes to exist. */
class Follower {
  readonly objects = new Map<string, string>();
  readonly revisions: number[] = [];
  /** Events that don't fit what was known. */
  readonly impossible: string[] = [];

  apply(events: readonly WatchEvent<ConfigMap>[]): void {
    for (const { type, object } of events) {
      const { name, resourceVersion } = object.metadata;
      this.revisions.push(Number(resourceVersion));
      const known = this.objects.has(name!);
      if (known === (type === "ADDED")) this.impossible.push(`${type} ${name} at ${resourceVersion}`);
      if (type === "DELETED") this.objects.delete(name!);
      else this.objects.set(name!, resourceVersion!);
    }
  }
}

test("watchers that join at any time, with and without selectors, end up with what a list shows", async () => {
  await using f = await startRegistry();
  const stop = new AbortController();
  const followers: { follower: Follower; options: WatchOptions; ended: Promise<void> }[] = [];
  const follow = (options: WatchOptions): void => {
    const follower = new Follower();
    followers.push({ follower, options, ended: f.registry.watch(configmaps, options, (events) => follower.apply(events), stop.signal) });
  };
  follow({ namespace });
  follow({ labelSelector: "tier=x" });

  const tiers = ["x", "y"];
  let turn = 0;
  async function write(): Promise<void> {
    for (let n = turn++; n < 3000; n = turn++) {
      if (n % 500 === 0) follow({ namespace, labelSelector: n % 1000 === 0 ? "tier=y" : undefined });
      // 41 names and 4 operations have no common divisor, so every name meets every operation.
      const name = `c${n % 41}`;
      const object = configMap(name, { n: String(n) }, { tier: tiers[(n >> 2) % 2]! });
      await [
        () => f.client.create(configmaps, object),
        () => f.client.update(configmaps, object),
        () => f.client.patch(configmaps, { namespace, name }, { type: "application/merge-patch+json", body: { metadata: { labels: { tier: tiers[n % 2] } } } }),
        () => f.client.delete(configmaps, { namespace, name }),
      ][n % 4]!().catch((error: unknown) => {
        if (!(error instanceof StatusError) || ![404, 409].includes(error.code)) throw error;
      });
    }
  }
  try {
    await Promise.all(Array.from({ length: 16 }, write));
    for (const { follower, options } of followers) {
      expect(follower.impossible).toEqual([]);
      const { items } = await f.client.list(configmaps, options);
      expect([...follower.objects].toSorted()).toEqual(items.map(({ metadata }): [string, string] => [metadata.name!, metadata.resourceVersion!]).toSorted());
    }
    const { revisions } = followers[0]!.follower;
    expect(revisions.length).toBeGreaterThan(500);
    expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
  } finally {
    stop.abort();
    await Promise.all(followers.map(({ ended }) => ended));
  }
});
