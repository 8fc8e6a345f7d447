import { describe, expect, test } from "bun:test";
import { defineResource } from "../../apimachinery/resource.ts";
import { bindings, builtins, componentstatuses, events, horizontalpodautoscalers, horizontalpodautoscalersV1, pods, regardingEvents, tokenreviews } from "../../apis/builtins.ts";
import type { ServerStorageVersion, StorageVersion } from "../../apis/generated/apiserverinternal/v1alpha1.ts";
import { planPublication, storageVersionsOf } from "./plan.ts";

const apiServerID = "apiserver-me", now = "2026-01-01T00:00:10Z", earlier = "2026-01-01T00:00:00Z";

describe("what is stored as what", () => {
  const custom = (version: string) => defineResource({
    group: "example.com", version, kind: "Thing", resource: "things", scope: "Namespaced", schema: `com.example.${version}.Thing`,
    stored: { group: "example.com", resource: "things", version: "v2", decodes: ["v1alpha1", "v1", "v2"], read: (objects) => objects, write: (object) => object },
  });
  test.each([
    ["a kind", [pods], { "core.pods": ["v1", "v1", "v1"] }],
    ["two versions of one", [horizontalpodautoscalersV1, horizontalpodautoscalers], { "autoscaling.horizontalpodautoscalers": ["autoscaling/v2", "autoscaling/v2 autoscaling/v1", "autoscaling/v2 autoscaling/v1"] }],
    ["two groups", [regardingEvents, events], { "core.events": ["v1", "v1 events.k8s.io/v1", "v1"] }],
    ["nothing stored", [bindings, componentstatuses, tokenreviews], {}],
    ["versions that aren't served", [custom("v1")], { "example.com.things": ["example.com/v2", "example.com/v2 example.com/v1 example.com/v1alpha1", "example.com/v1"] }],
  ])("%s", (_, cards, expected) => {
    const found = [...storageVersionsOf(cards, apiServerID)].map(([name, { encodingVersion, decodableVersions, servedVersions }]) => [name, [encodingVersion, decodableVersions!.join(" "), servedVersions!.join(" ")]]);
    expect<unknown>(Object.fromEntries(found)).toEqual(expected);
  });

  test("every stored built-in kind has one", () => {
    const known = storageVersionsOf(builtins, apiServerID);
    expect(builtins.filter(({ verbs }) => verbs.includes("watch")).filter(({ group, resource, stored }) => !known.has(`${(stored ?? { group }).group || "core"}.${(stored ?? { resource }).resource}`)).map(({ kind }) => kind)).toEqual([]);
  });
});

describe("what is to be written", () => {
  const says = (id: string, encodingVersion = "v1"): ServerStorageVersion => ({ apiServerID: id, encodingVersion, decodableVersions: ["v1", "v2"], servedVersions: ["v1"] });
  const object = (...storageVersions: ServerStorageVersion[]): StorageVersion => ({
    metadata: { name: "core.things" }, spec: {},
    status: { storageVersions, commonEncodingVersion: "v1", conditions: [{ type: "AllEncodingVersionsEqual", status: "True", reason: "CommonEncodingVersionSet", message: "Common encoding version set", lastTransitionTime: earlier }] },
  });
  const plan = (current?: StorageVersion, wanted?: ServerStorageVersion) => planPublication(current, wanted, { apiServerID, now });

  test.each([
    ["new", undefined, says(apiServerID), { action: "create" }],
    ["neither there nor wanted", undefined, undefined, undefined],
    ["said already", object(says("other"), says(apiServerID)), says(apiServerID), undefined],
    ["no more served", object(says(apiServerID)), undefined, { action: "delete" }],
    ["nobody says anything", object(), undefined, { action: "delete" }],
    ["only another says so", object(says("other")), undefined, undefined],
  ])("%s", (_, current, wanted, expected) => expect<unknown>(plan(current, wanted)).toEqual(expected));

  test.each<[string, StorageVersion, ServerStorageVersion | undefined, [ids: string, common: string | undefined, status: string, reason: string, time: string]]>([
    ["another said so: both do", object(says("other")), says(apiServerID), ["other apiserver-me", "v1", "True", "CommonEncodingVersionSet", earlier]],
    ["they differ", object(says("other")), says(apiServerID, "v2"), ["other apiserver-me", undefined, "False", "CommonEncodingVersionUnset", now]],
    ["the only one stores another version", object(says(apiServerID)), says(apiServerID, "v2"), ["apiserver-me", "v2", "True", "CommonEncodingVersionSet", now]],
    ["no more served here: the other stays", object(says(apiServerID), says("other")), undefined, ["other", "v1", "True", "CommonEncodingVersionSet", earlier]],
    ["just made", { metadata: { name: "core.things" }, spec: {}, status: {} }, says(apiServerID), ["apiserver-me", "v1", "True", "CommonEncodingVersionSet", now]],
  ])("%s", (_, current, wanted, [ids, common, status, reason, lastTransitionTime]) => {
    const planned = plan(current, wanted);
    if (planned?.action !== "update") throw new Error(`an update was expected, not ${planned?.action}`);
    const { storageVersions, commonEncodingVersion, conditions } = planned.status;
    expect([storageVersions!.map((version) => version.apiServerID).join(" "), commonEncodingVersion]).toEqual([ids, common as string]);
    expect(conditions).toEqual([{ type: "AllEncodingVersionsEqual", status, reason, message: expect.any(String), lastTransitionTime }]);
  });
});
