import { expect, test } from "bun:test";
import { made } from "../testing/made.ts";
import { storageversions as card } from "./storageversion.ts";

test.each([
  ["core.pods", []],
  ["apps.example.com.things", []],
  ["pods", ["name must be in the form of <group>.<resource>"]],
  ["UP.9s", [expect.stringContaining("the group segment a lowercase RFC 1123 subdomain"), expect.stringContaining("the resource segment a DNS-1035 label")]],
])("name %s", (name, expected) => expect<unknown>(card.validateName!(name, false)).toEqual(expected));

const server = (apiServerID: string, encodingVersion: string, decodableVersions = [encodingVersion], servedVersions: string[] = []) => ({ apiServerID, encodingVersion, decodableVersions, servedVersions });
const withStatus = (status: unknown) => ({ ...made(card, () => undefined), status });

test.each<[string, unknown, string[]]>([
  ["nobody said anything", {}, []],
  ["one server", { storageVersions: [server("a", "apps/v1", ["apps/v1", "apps/v1beta1"], ["apps/v1"])], commonEncodingVersion: "apps/v1" }, []],
  ["two that differ", { storageVersions: [server("a", "v1"), server("b", "v2")] }, []],
  ["two that differ, with a common version", { storageVersions: [server("a", "v1"), server("b", "v2")], commonEncodingVersion: "v1" }, ["status.commonEncodingVersion: should be nil if servers do not agree on the same encoding version, or if there is no server reporting the supported versions yet"]],
  ["a common version unsaid", { storageVersions: [server("a", "v1")] }, ["status.commonEncodingVersion: the common encoding version is v1"]],
  ["another one said", { storageVersions: [server("a", "v1")], commonEncodingVersion: "v2" }, ["status.commonEncodingVersion: the actual common encoding version is v1"]],
  ["twice the same server", { storageVersions: [server("a", "v1"), server("a", "v1")], commonEncodingVersion: "v1" }, ["status.storageVersions[1].apiServerID: \"a\""]],
  ["can't read what it writes", { storageVersions: [server("a", "v1", ["v2"], ["v3"])], commonEncodingVersion: "v1" }, ["status.storageVersions[0].decodableVersions: decodableVersions must include encodingVersion v1", "status.storageVersions[0].servedVersions[0]: individual served version : v3 must be included in decodableVersions : [v2]"]],
  ["no version", { storageVersions: [server("a", "apps/")], commonEncodingVersion: "apps/" }, ["status.storageVersions[0].encodingVersion: version part: must be non-empty", "status.storageVersions[0].decodableVersions[0]: version part: must be non-empty"]],
  ["a condition without words", { conditions: [{ type: "AllEncodingVersionsEqual", status: "True", reason: "", message: "" }] }, ["status[0].reason: Required value", "status[0].message: Required value"]],
])("status: %s", (_, status, expected) => expect(card.strategy.validateStatusUpdate!(withStatus(status), withStatus({})).map(({ field, message }) => `${field}: ${message.replace(/^(Invalid|Duplicate) value: /, "").replace(/^("[^"]*"|null|\[.*?\]): /, "")}`)).toEqual(expected));

test.each<[unknown, unknown[]]>([
  [{}, ["<unset>", "<unset>"]],
  [{ storageVersions: [server("a", "v1")], commonEncodingVersion: "v1" }, ["v1", "a=v1"]],
  [{ storageVersions: ["a", "b", "c", "d", "e"].map((id) => server(id, "v1")), commonEncodingVersion: "v1" }, ["v1", "a=v1,b=v1,c=v1 + 2 more..."]],
])("columns %#", (status, expected) => expect<unknown[]>(card.columns.slice(1, 3).map((column) => column.value(withStatus(status), 0))).toEqual(expected));
