import { describe, expect, test } from "bun:test";
import type { KubeObject } from "../../src/apimachinery/meta.ts";
import { apiVersionOf, type AnyResource } from "../../src/apimachinery/resource.ts";
import { builtins, serviceaccounts } from "../../src/apis/builtins.ts";
import type { Client, ObjectKey, WatchEvent } from "../../src/client/client.ts";
import { eventually } from "../support/eventually.ts";
import { namespace, refused } from "./client-samples.ts";

const stored = builtins.filter((card) => card.example);

/** Every stored kind through every verb, by nothing but its card and its example. */
export function clientResources(client: () => Client): void {
  const keyOf = (card: AnyResource, { metadata: { name } }: KubeObject): ObjectKey => ({ ...(card.scope === "Namespaced" ? { namespace } : {}), name: name! });
  const annotated = (text: string) => ({ type: "application/merge-patch+json" as const, body: { metadata: { annotations: { note: text } } } });

  async function firstEvents(card: AnyResource, resourceVersion: string, fieldSelector: string, count: number): Promise<string[]> {
    const types: string[] = [];
    const scope = card.scope === "Namespaced" ? { namespace } : {};
    for await (const event of client().watch<KubeObject>(card, { ...scope, resourceVersion, fieldSelector }, AbortSignal.timeout(60_000)) as AsyncIterable<WatchEvent<KubeObject>>) {
      types.push(event.type);
      if (types.length === count) break;
    }
    return types;
  }

  describe("every kind", () => {
    test.each(stored.map((card) => [`${card.resource} ${apiVersionOf(card)}`, card] as const))("%s", async (_, card) => {
      if (card.resource !== "serviceaccounts") await client().create(serviceaccounts, { metadata: { name: "default", namespace } });
      const example = card.example!() as KubeObject;
      if (card.scope === "Namespaced") example.metadata.namespace = namespace;
      const key = keyOf(card, example);
      const scope = card.scope === "Namespaced" ? { namespace } : {};
      const byName = `metadata.name=${key.name}`;

      const made = await client().create<KubeObject>(card, example);
      expect(made).toMatchObject({ apiVersion: apiVersionOf(card), kind: card.kind });
      // A controller may write the status of what is new.
      const created = await eventually(async () => {
        const current = await client().get<KubeObject>(card, key);
        const same = await client().update<KubeObject>(card, structuredClone(current) as KubeObject);
        expect(same).toEqual(current);
        return current;
      });
      expect(created.metadata.uid).toBe(made.metadata.uid!);
      expect((await refused(client().create<KubeObject>(card, card.example!() as KubeObject))).reason).toBe("AlreadyExists");

      const listed = await client().list<KubeObject>(card, { ...scope, fieldSelector: byName });
      expect(listed.items.map(({ metadata }) => metadata.uid)).toEqual([created.metadata.uid]);

      const changed = structuredClone(created) as KubeObject;
      changed.metadata.labels = { ...changed.metadata.labels, changed: "yes" };
      const updated = await client().update<KubeObject>(card, changed);
      expect(updated.metadata.labels).toMatchObject({ changed: "yes" });
      expect((await refused(client().update<KubeObject>(card, structuredClone(created) as KubeObject))).reason).toBe("Conflict");

      for (const type of ["application/merge-patch+json", "application/strategic-merge-patch+json"] as const) {
        expect((await client().patch<KubeObject>(card, key, { ...annotated(type), type })).metadata.annotations).toMatchObject({ note: type });
      }
      expect((await client().patch<KubeObject>(card, key, { type: "application/json-patch+json", body: [{ op: "remove", path: "/metadata/annotations/note" }] })).metadata.annotations?.note).toBeUndefined();
      if (card.subresources.status) {
        expect((await client().patch<KubeObject>(card, key, annotated("status"), { subresource: "status" })).metadata.uid).toBe(created.metadata.uid!);
      }

      await client().patch<KubeObject>(card, key, { type: "application/merge-patch+json", body: { metadata: { finalizers: ["example.com/hold"] } } });
      const ending = { gracePeriodSeconds: 0, propagationPolicy: "Background" } as const;
      if (card.verbs.includes("deletecollection")) await client().deleteCollection<KubeObject>(card, { ...scope, fieldSelector: byName, delete: ending });
      else await client().delete<KubeObject>(card, key, ending);
      expect((await client().get<KubeObject>(card, key)).metadata.deletionTimestamp).toBeTruthy();
      if (card.resource === "namespaces") return;
      await client().patch<KubeObject>(card, key, { type: "application/merge-patch+json", body: { metadata: { finalizers: null } } });
      expect((await refused(client().get<KubeObject>(card, key))).code).toBe(404);

      const types = await firstEvents(card, created.metadata.resourceVersion!, byName, 2);
      expect(types[0]).toBe("MODIFIED");
      const again = await client().create<KubeObject>(card, example);
      expect(again.metadata.uid).not.toBe(created.metadata.uid);
      // Kinds that are protected while they are used wait for a controller.
      if (again.metadata.finalizers) await client().patch<KubeObject>(card, key, { type: "application/merge-patch+json", body: { metadata: { finalizers: null } } });
      await client().delete(card, key, { propagationPolicy: "Background", preconditions: { uid: again.metadata.uid } });
      expect((await refused(client().delete(card, key))).code).toBe(404);
    });
  });
}
