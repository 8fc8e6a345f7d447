import { expect, test } from "bun:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { notFound, serviceUnavailable, StatusError } from "../apimachinery/status.ts";
import { configmaps } from "../apis/builtins.ts";
import type { Client } from "./client.ts";
import { createServerContact } from "./outage.ts";

test("an outage is told of once when it begins and once when it ends, by whatever call", async () => {
  const clock = new FakeClock(), told: string[] = [];
  const note = (message: string): void => void told.push(message);
  let answer: () => unknown = () => ({});
  const server = { get: async () => answer(), async *watch() { yield { type: "BOOKMARK", object: answer() }; } } as unknown as Client;
  const contact = createServerContact({ clock, log: { debug: note, info: (message, fields) => note(`${message}, ${String(fields?.["afterSeconds"])} s`), warn: note, error: note } });
  const client = contact.observe(server);
  let back = 0;
  const unsubscribe = contact.onBack(() => back++);
  const get = (): Promise<unknown> => client.get(configmaps, { namespace: "d", name: "a" }).catch((error: Error) => error.message);
  const watch = async (): Promise<void> => {
    for await (const _ of client.watch(configmaps, {}, new AbortController().signal)) return;
  };

  await get();
  expect(told).toEqual([]);
  answer = () => { throw serviceUnavailable("cannot reach https://server:6443"); };
  expect(await get()).toContain("cannot reach");
  await watch().catch(() => {});
  await get();
  expect(told).toEqual(["The server does not answer, the node goes on with what it knows"]);
  await clock.advance(90_000);
  // A refusal is an answer.
  answer = () => { throw notFound(configmaps, "a"); };
  await get();
  expect(told.slice(1)).toEqual(["The server answers again, 90 s"]);
  // As is that it was restored from a backup.
  answer = () => { throw new StatusError({ code: 504, message: "too large", reason: "Timeout", details: { causes: [{ reason: "ResourceVersionTooLarge" }] } } as never); };
  await watch().catch(() => {});
  expect(told.length).toBe(2);
  answer = () => { throw serviceUnavailable("cannot reach https://server:6443"); };
  await get();
  answer = () => ({});
  await watch();
  expect(back).toBe(2);
  unsubscribe();
  expect(told.slice(2)).toEqual(["The server does not answer, the node goes on with what it knows", "The server answers again, 0 s"]);
});
