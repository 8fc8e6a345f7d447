import { expect, test } from "bun:test";
import { pods, priorityclasses } from "../../src/apis/builtins.ts";
import type { Client } from "../../src/client/client.ts";
import { eventually } from "../support/eventually.ts";
import { namespace, startSchedulerCluster } from "../support/scheduler-cluster.ts";

/** A small generator, so that a failure can be had again: mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A client whose owner dies after so many writes: none of the later ones arrives. */
function mortal(client: Client, writes: number): { client: Client; dead: Promise<void> } {
  let left = writes;
  const { promise: dead, resolve } = Promise.withResolvers<void>();
  const write = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => async (...args: A): Promise<R> => {
    if (left-- > 0) return call(...args);
    resolve();
    throw new Error("killed");
  };
  return { client: { ...client, createSubresource: write(client.createSubresource) as Client["createSubresource"], patch: write(client.patch) as Client["patch"], delete: write(client.delete) as Client["delete"] }, dead };
}

const classes = { low: 1, mid: 50, high: 100 };

test.each([1, 2, 3])("killed between any two writes, again and again: the most important pods run, and nowhere are too many (seed %d)", async (seed) => {
  const random = randomFrom(seed);
  const cluster = await startSchedulerCluster();
  try {
    await cluster.stop();
    for (const [name, value] of Object.entries(classes)) await cluster.client.create(priorityclasses, { metadata: { name }, value });
    for (const name of ["a", "b", "c"]) await cluster.addNode(name, { cpu: "4" });
    // Kubelets: a pod that is told to go is gone a moment later. No node may ever have more than fits.
    const running = new Map<string, Set<string>>();
    let most = 0;
    const unsubscribe = cluster.informers.informer(pods).onChange((old, current) => {
      const { name } = (current ?? old)!.metadata;
      if (current?.spec.nodeName) running.set(current.spec.nodeName, (running.get(current.spec.nodeName) ?? new Set()).add(name!));
      else if (!current && old!.spec.nodeName) running.get(old!.spec.nodeName)?.delete(name!);
      for (const on of running.values()) most = Math.max(most, on.size);
      if (current?.metadata.deletionTimestamp) setTimeout(() => cluster.removePod(name!).catch(() => undefined), random() * 5);
    });
    const names = (priority: keyof typeof classes, count: number): string[] => Array.from({ length: count }, (_, i) => `${priority}-${i}`);
    const all = [...names("low", 12), ...names("mid", 10), ...names("high", 6)];
    for (const name of names("low", 12)) await cluster.addPod(name, { priorityClassName: "low" });
    const arriving = (async () => {
      for (const name of all.slice(12)) {
        await cluster.addPod(name, { priorityClassName: name.split("-")[0]! });
        await new Promise((resolve) => setTimeout(resolve, random() * 10));
      }
    })();
    for (let life = 0; life < 12; life++) {
      const { client, dead } = mortal(cluster.client, Math.floor(random() * 8));
      await cluster.restart({ client, recorderFor: () => ({ event: () => undefined }) });
      await Promise.race([dead, new Promise((resolve) => setTimeout(resolve, 200))]);
    }
    await arriving;
    await cluster.restart();
    await eventually(async () => {
      const { items } = await cluster.client.list(pods, { namespace });
      expect(items.some(({ metadata }) => metadata.deletionTimestamp)).toBe(false);
      const bound = items.filter(({ spec }) => spec.nodeName);
      expect(bound.length).toBe(12);
      expect(bound.filter(({ metadata }) => metadata.name!.startsWith("high")).length).toBe(6);
      expect(bound.filter(({ metadata }) => metadata.name!.startsWith("mid")).length).toBe(6);
      expect(items.filter(({ spec, status }) => spec.nodeName && status?.nominatedNodeName)).toEqual([]);
    });
    expect(most).toBe(4);
    unsubscribe();
  } finally {
    await cluster[Symbol.asyncDispose]();
  }
});
