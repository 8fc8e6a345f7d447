import { expect, test } from "bun:test";
import { insufficientStorage, notFound } from "../../apimachinery/status.ts";
import type { Client } from "../../client/client.ts";
import { ensureSystemNamespaces, systemNamespaces } from "./namespaces.ts";

test("namespaces that are there aren't made: a datastore that is full refuses to be asked, and the server starts", async () => {
  const there = new Set<string>(systemNamespaces);
  const client = {
    get: async (_: unknown, { name }: { name: string }) => {
      if (!there.has(name)) throw notFound({ group: "", resource: "namespaces" }, name);
      return {};
    },
    create: () => Promise.reject(insufficientStorage("etcd is full")),
  } as unknown as Client;
  await ensureSystemNamespaces(client);
  there.delete("kube-public");
  await expect(ensureSystemNamespaces(client)).rejects.toThrow("etcd is full");
});
