import { expect, test } from "bun:test";
import type { StorageVersion } from "../../apis/generated/apiserverinternal/v1alpha1.ts";
import { planCleanup } from "./plan.ts";

const now = "2026-01-01T00:00:10Z";
const object = (...servers: [id: string, encodingVersion: string][]): StorageVersion => ({
  metadata: { name: "core.things" }, spec: {}, status: { storageVersions: servers.map(([apiServerID, encodingVersion]) => ({ apiServerID, encodingVersion, decodableVersions: [encodingVersion] })) },
});

test.each<[string, StorageVersion, unknown]>([
  ["all run", object(["a", "v1"], ["b", "v2"]), undefined],
  ["just made: its server has yet to speak", object(), undefined],
  ["none runs", object(["x", "v1"], ["y", "v1"]), { action: "delete" }],
  ["one is gone", object(["a", "v1"], ["x", "v2"]), { action: "update", status: { storageVersions: [{ apiServerID: "a", encodingVersion: "v1", decodableVersions: ["v1"] }], commonEncodingVersion: "v1", conditions: [{ type: "AllEncodingVersionsEqual", status: "True", reason: "CommonEncodingVersionSet", message: "Common encoding version set", lastTransitionTime: now }] } }],
  ["those that are left differ", object(["a", "v1"], ["x", "v1"], ["b", "v2"]), { action: "update", status: expect.objectContaining({ conditions: [expect.objectContaining({ status: "False", reason: "CommonEncodingVersionUnset", message: "Common encoding version unset" })] }) }],
])("%s", (_, version, expected) => expect<unknown>(planCleanup(version, (id) => ["a", "b"].includes(id), now)).toEqual(expected));
