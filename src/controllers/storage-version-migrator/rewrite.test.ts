import { describe, expect, test } from "bun:test";
import { badRequest, conflict, internalError, notFound, serviceUnavailable, timeout, tooManyRequests } from "../../apimachinery/status.ts";
import { secrets } from "../../apis/builtins.ts";
import type { Client } from "../../client/client.ts";
import { rewrite } from "./rewrite.ts";

const object = (name: string, resourceVersion: string) => ({ metadata: { name, namespace: "default", uid: `uid-${name}`, resourceVersion } });

function rewriting(refusal?: (name: string) => Error | undefined) {
  const written: unknown[] = [];
  const patch = async (_: unknown, { name }: { name: string }, { body }: { body: unknown }) => {
    const error = refusal?.(name);
    if (error) throw error;
    written.push(body);
  };
  const stop = new AbortController();
  const all = { card: () => secrets, objects: [object("a", "9"), object("b", "10"), object("c", "11")], upTo: "10", manager: "migrator", client: { patch } as unknown as Client, signal: stop.signal };
  return { written, all, stop };
}

const names = (written: unknown[]): string[] => written.map((body) => (body as { metadata: { name: string } }).metadata.name);

test("objects up to the revision are applied with nothing in them but which they are", async () => {
  const { written, all } = rewriting();
  expect(await rewrite(all)).toBeUndefined();
  expect(written).toEqual([["a", "9"], ["b", "10"]].map(([name, resourceVersion]) => ({ apiVersion: "v1", kind: "Secret", metadata: { namespace: "default", name, uid: `uid-${name}`, resourceVersion } })));
});

describe("what goes wrong with one", () => {
  test.each([
    ["written meanwhile: on with the next", conflict(secrets, "a", "the object has been modified")],
    ["deleted meanwhile", notFound(secrets, "a")],
  ])("%s", async (_, error) => {
    const { written, all } = rewriting((name) => (name === "a" ? error : undefined));
    expect(await rewrite(all)).toBeUndefined();
    expect(names(written)).toEqual(["b"]);
  });

  test.each([timeout("slow"), tooManyRequests("busy", 1), serviceUnavailable("starting"), internalError(new Error("a webhook is down")), new Error("the store is closed")])("may pass: %s", async (error) => {
    await expect(rewrite(rewriting(() => error).all)).rejects.toBe(error);
  });

  test("stays wrong: that is the end", async () => {
    const { written, all } = rewriting((name) => (name === "a" ? badRequest("no such thing") : undefined));
    expect(await rewrite(all)).toBe("no such thing");
    expect(written).toEqual([]);
  });
});

test("a resource that is gone has nothing to rewrite", async () => {
  const { written, all } = rewriting();
  expect(await rewrite({ ...all, card: () => undefined })).toBeUndefined();
  expect(written).toEqual([]);
});
