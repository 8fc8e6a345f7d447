import { expect, test } from "bun:test";
import { badRequest, expired, StatusError } from "../../apimachinery/status.ts";
import type { KubeObject } from "../../apimachinery/meta.ts";
import { defineResource } from "../../apimachinery/resource.ts";
import type { WatchEvent, WatchOptions } from "../../client/client.ts";
import type { Registry } from "../../registry/registry.ts";
import { exchange, type ExchangeOptions } from "../../../test/support/http.ts";
import { createFrameCache } from "../encoding/watch-frames.ts";
import { newExchange } from "../exchange.ts";
import { withRecovery } from "../filters/recovery.ts";
import { withRequestInfo } from "../filters/request-info.ts";
import type { HandlerDependencies } from "./handler.ts";
import { watch } from "./watch.ts";

const card = defineResource<KubeObject>({ group: "", version: "v1", kind: "ConfigMap", resource: "configmaps", scope: "Namespaced", schema: "io.k8s.api.core.v1.ConfigMap" });
const object = (name: string, text = ""): KubeObject & { data: Record<string, string> } => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, resourceVersion: "5" }, data: { text } });
const added = (name: string, text?: string): WatchEvent<KubeObject> => ({ type: "ADDED", object: object(name, text) });

/** A registry whose one watch the test feeds by hand. */
function fakeRegistry(begin: (options: WatchOptions) => void = () => undefined): { registry: Registry; emit(...events: WatchEvent<KubeObject>[]): void; fail(error: Error): void; readonly watching: boolean } {
  let onEvents: (events: readonly WatchEvent<KubeObject>[]) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  let watching = false;
  const registry = {
    watch: (_card: unknown, options: WatchOptions, listener: typeof onEvents, signal: AbortSignal) => {
      begin(options);
      onEvents = listener;
      watching = true;
      return new Promise<void>((resolve, fail) => {
        reject = fail;
        signal.addEventListener("abort", () => {
          watching = false;
          resolve();
        });
      });
    },
  };
  return {
    registry: registry as unknown as Registry, emit: (...events) => onEvents(events), fail: (error) => reject(error),
    get watching() {
      return watching;
    },
  };
}

const log = { debug() {}, info() {}, warn() {}, error() {} };
const frames = createFrameCache();

function open(registry: Registry, options: Partial<ExchangeOptions> = {}, stopping = new AbortController().signal): ReturnType<typeof exchange> {
  const dependencies = { registry, frames, stopping, now: () => 0 } as unknown as HandlerDependencies;
  const recover = withRecovery({ log });
  return exchange(async (request, response) => {
    await recover(newExchange(request, response), (each) => withRequestInfo(each, (inner) => watch(dependencies, inner, card)));
  }, { url: "/api/v1/namespaces/default/configmaps?watch=1", ...options });
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

test("the stream begins before the first event, and events are lines", async () => {
  const fake = fakeRegistry();
  const { answer } = open(fake.registry);
  await tick();
  expect(answer.status).toBe(200);
  fake.emit(added("a"), added("b"));
  expect(answer.text()).toBe(["a", "b"].map((name) => `{"type":"ADDED","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"${name}","resourceVersion":"5"},"data":{"text":""}}}\n`).join(""));
});

test("bad options are an error, too old a version is an event", async () => {
  const refused = open(fakeRegistry(() => {
    throw badRequest("unable to parse requirement");
  }).registry);
  await refused.done;
  expect([refused.answer.status, JSON.parse(refused.answer.text()).message]).toEqual([400, "unable to parse requirement"]);
  const fake = fakeRegistry();
  const late = open(fake.registry);
  fake.fail(expired("too old resource version: 1 (5)"));
  await late.done;
  expect([late.answer.status, JSON.parse(late.answer.text())]).toMatchObject([200, { type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired" } }]);
  expect(late.answer.ended).toBe(true);
});

test.each(["application/vnd.kubernetes.protobuf", "application/cbor"])("%s: errors and events alike", async (accept) => {
  const fake = fakeRegistry();
  const { answer, done } = open(fake.registry, { headers: { accept } });
  await tick();
  fake.emit(added("a"));
  fake.fail(expired("too old resource version: 1 (5)"));
  await done;
  const marker = accept.endsWith("protobuf") ? "k8s\0" : "ERROR";
  expect(answer.text().split(marker).length).toBe(accept.endsWith("protobuf") ? 3 : 2);
  for (const text of ["ADDED", "ConfigMap", "ERROR", "Status", "Expired"]) expect(answer.text()).toContain(text);
});

test("a Table's columns are told once", async () => {
  const fake = fakeRegistry();
  const { answer } = open(fake.registry, { headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" } });
  await tick();
  fake.emit(added("a"), added("b"));
  fake.emit(added("c"));
  const tables = answer.text().trim().split("\n").map((line) => JSON.parse(line).object);
  expect(tables.map(({ columnDefinitions, rows }) => [columnDefinitions?.length ?? null, rows[0].cells[0]])).toEqual([[2, "a"], [null, "b"], [null, "c"]]);
});

test("watchers share a frame", () => {
  const encoded: string[] = [];
  const format = { key: "k", encode: (type: string) => (encoded.push(type), Buffer.from(type)) };
  const event = added("shared");
  expect(frames.frame(event, format)).toBe(frames.frame(event, format));
  expect(encoded).toEqual(["ADDED"]);
});

test("a client that reads slowly gets what was held, in order", async () => {
  const fake = fakeRegistry();
  const { answer } = open(fake.registry, { window: 10 });
  await tick();
  for (const name of ["a", "b", "c"]) fake.emit(added(name));
  expect(answer.text()).not.toContain('"b"');
  answer.read();
  await tick();
  expect([...answer.text().matchAll(/"name":"(.)"/g)].map((match) => match[1])).toEqual(["a", "b", "c"]);
  expect(answer.aborted).toBe(false);
});

test("a client that doesn't read is cut off", async () => {
  const fake = fakeRegistry();
  const { answer, done } = open(fake.registry, { window: 10 });
  await tick();
  for (let i = 0; i < 7; i++) fake.emit(added(`n${i}`, "x".repeat(1 << 20)));
  await done;
  expect([answer.aborted, fake.watching]).toEqual([true, false]);
});

test.each(["client", "server"] as const)("ends when the %s goes", async (who) => {
  const leaving = new AbortController();
  const fake = fakeRegistry();
  const { answer, done } = who === "client" ? open(fake.registry, { signal: leaving.signal }) : open(fake.registry, {}, leaving.signal);
  await tick();
  expect(fake.watching).toBe(true);
  leaving.abort();
  await done;
  expect([answer.ended, fake.watching]).toEqual([true, false]);
});

test("an unknown error says nothing of itself", async () => {
  const fake = fakeRegistry();
  const { answer, done } = open(fake.registry);
  await tick();
  fake.fail(new Error("secret path"));
  await done;
  expect(answer.text()).toContain('"type":"ERROR"');
  expect(answer.text()).not.toContain("secret");
  expect(new StatusError(JSON.parse(answer.text()).object).code).toBe(500);
});
