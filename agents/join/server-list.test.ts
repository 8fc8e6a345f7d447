import { expect, test } from "bun:test";
import { createServerList } from "./server-list.ts";

const [a, b, c] = ["https://192.0.2.1:6443", "https://192.0.2.2:6443", "https://192.0.2.3:6443"] as const;

test("one is used until it fails, then the next, and after the last the first", () => {
  const servers = createServerList({ given: [a, b], known: [b, c] });
  const used: string[] = [];
  for (let i = 0; i < 4; i++) {
    used.push(servers.current.url);
    servers.failed(servers.current.givenUp);
  }
  expect(used).toEqual([a, b, c, a]);
});

test("what hangs on a server that failed ends, though it be the only one; failures that come of it don't count again", () => {
  const servers = createServerList({ given: [a] });
  const { givenUp } = servers.current;
  servers.failed(givenUp);
  expect([givenUp.aborted, servers.current.url, servers.current.givenUp.aborted]).toEqual([true, a, false]);
  const second = servers.current;
  servers.failed(givenUp);
  expect(servers.current).toBe(second);
});

test("what the cluster tells comes behind what the administrator gave, and is told once", () => {
  const told: (readonly string[])[] = [];
  const servers = createServerList({ given: [a], onLearned: (urls) => told.push(urls) });
  for (const urls of [[b, c], [b, c], [], [c]]) servers.learn(urls);
  expect([told, servers.all]).toEqual([[[b, c], [c]], [a, c]]);
});

test("a server that is none any more is left, and one that is used still stays in use", () => {
  const servers = createServerList({ given: [a], known: [b, c] });
  servers.failed(servers.current.givenUp);
  const onB = servers.current;
  servers.learn([b]);
  expect(servers.current).toBe(onB);
  servers.learn([c]);
  expect([servers.current.url, onB.givenUp.aborted]).toEqual([a, true]);
});

test("servers that can't be written down are used all the same", () => {
  const servers = createServerList({ given: [a], onLearned: () => { throw new Error("ENOSPC: no space left on device"); } });
  servers.learn([b]);
  expect([servers.told, servers.all]).toEqual([[b], [a, b]]);
});

test("who asks for it hears of other servers and of another in use, until it has heard enough", () => {
  const servers = createServerList({ given: [a] });
  const heard: unknown[] = [];
  const stop = servers.onChange(() => heard.push([servers.current.url, servers.told]));
  servers.learn([a, b]);
  servers.learn([a, b]);
  servers.failed(servers.current.givenUp);
  servers.learn([a]);
  stop();
  servers.learn([a, c]);
  expect(heard).toEqual([[a, [a, b]], [b, [a, b]], [a, [a]]]);
});
