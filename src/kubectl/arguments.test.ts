import { describe, expect, test } from "bun:test";
import type { Pod } from "../apis/generated/core/v1.ts";
import { statusOfText, warningsIn } from "./api.ts";
import { labelFor } from "./describe/generic.ts";
import { endpointsText } from "./describe/service.ts";
import { errorText, KubectlError, ServerError } from "./errors.ts";
import { parseChanges } from "./label.ts";
import { objectsIn } from "./manifests.ts";
import type { PlainObject } from "./objects.ts";
import { portOf } from "./port-forward.ts";
import { ageOf } from "./times.ts";

test("labels to set and to remove stand behind the objects", () => {
  expect(parseChanges(["pods", "a", "b", "x=1", "y-", "z="], { noun: "label" })).toEqual({ targets: ["pods", "a", "b"], changes: new Map([["x", "1"], ["y", null], ["z", ""]]) });
  expect(parseChanges(["pod/a"], { noun: "label" })).toEqual({ targets: ["pod/a"], changes: new Map() });
  expect(() => parseChanges(["pod/a", "x=1", "oops"], { noun: "label" })).toThrow("all resources must be specified before label changes: oops");
  expect(() => parseChanges(["pod/a", "x=1", "x-"], { noun: "label" })).toThrow("can not both modify and remove a label in the same command");
});

describe("ports to forward", () => {
  const pod = { metadata: { name: "p" }, spec: { containers: [{ name: "c", ports: [{ name: "http", containerPort: 8080 }] }] } } as Pod;
  const service: PlainObject = { kind: "Service", metadata: { name: "s" }, spec: { ports: [{ name: "web", port: 80, targetPort: "http" }, { port: 81, targetPort: 8081 }, { port: 53, protocol: "UDP" }] } };
  for (const [written, object, port] of [
    ["80", pod, { local: 80, remote: 80 }], ["9000:80", pod, { local: 9000, remote: 80 }], [":80", pod, { local: 0, remote: 80 }], ["http", pod, { local: 8080, remote: 8080 }],
    ["80", service, { local: 80, remote: 8080 }], ["9000:web", service, { local: 9000, remote: 8080 }], [":81", service, { local: 0, remote: 8081 }],
  ] as [string, PlainObject, object][]) test(`${written} of a ${object.kind ?? "Pod"}`, () => expect(portOf(written, object, pod)).toEqual(port as never));
  for (const [written, message] of [["9:", "remote port cannot be empty"], ["53", "UDP protocol is not supported for 53"], ["99", "Service s does not have a service port 99"]] as const) test(message, () => expect(() => portOf(written, service, pod)).toThrow(message));
});

test("warnings of the server", () => expect(warningsIn('299 - "one \\"quoted\\"", 299 - "two, too"')).toEqual(['one "quoted"', "two, too"]));

test("errors in kubectl's words", () => {
  const causes = (...list: { field: string; message: string }[]) => new ServerError({ reason: "Invalid", message: "m", details: { kind: "Pod", name: "p", causes: list } });
  expect(errorText(new KubectlError("oops"))).toBe("error: oops\n");
  expect(errorText(new ServerError({ reason: "NotFound", message: 'pods "x" not found' }))).toBe('Error from server (NotFound): pods "x" not found\n');
  expect(errorText(causes({ field: "spec.a", message: "Required value" }))).toBe('The Pod "p" is invalid: spec.a: Required value\n');
  expect(errorText(causes({ field: "a", message: "x" }, { field: "b", message: "y" }))).toBe('The Pod "p" is invalid: \n* a: x\n* b: y\n');
  expect(errorText(new ServerError(statusOfText(503, "down\n")))).toBe("Error from server (ServiceUnavailable): down\n");
});

test("manifests: documents, Lists, and what is none", () => {
  const read = (text: string): string[] => objectsIn(text, "f").map(({ object }) => `${object.kind}/${object.metadata.name}`);
  expect(read("---\nkind: A\napiVersion: v1\nmetadata: {name: a}\n---\n# nothing\n---\nkind: List\napiVersion: v1\nitems: [{kind: B, apiVersion: v1, metadata: {name: b}}]\n")).toEqual(["A/a", "B/b"]);
  expect(read('{"kind":"BList","apiVersion":"v1","items":[{"metadata":{"name":"b"}}]}')).toEqual(["B/b"]);
  expect(() => read("kind: A\n")).toThrow('error validating "f": error validating data: apiVersion not set; if you choose');
  expect(() => read("a: [")).toThrow("error parsing f: error converting YAML to JSON");
});

test("ages", () => {
  const ago = (seconds: number): string => ageOf(new Date(Date.now() - seconds * 1000 - 300).toISOString());
  expect([5, 119, 120, 185, 599, 600, 3 * 3600, 7 * 3600 + 60, 9 * 3600, 3 * 86_400 + 3600, 9 * 86_400, 800 * 86_400].map(ago)).toEqual(["5s", "119s", "2m", "3m5s", "9m59s", "10m", "3h", "7h1m", "9h", "3d1h", "9d", "2y70d"]);
  expect(ageOf(undefined)).toBe("<unknown>");
});

test("names of fields as titles", () => expect(["creationTimestamp", "apiVersion", "uid", "clusterIP", "a.b/c"].map(labelFor)).toEqual(["Creation Timestamp", "API Version", "UID", "Cluster IP", "a.b/c"]));

test("endpoints: three of them", () => {
  const slice = { metadata: {}, addressType: "IPv4" as const, ports: [{ name: "web", port: 80 }], endpoints: [{ addresses: ["a"] }, { addresses: ["b"], conditions: { ready: false } }, { addresses: ["c"] }, { addresses: ["d"] }, { addresses: ["::1"] }] };
  expect([endpointsText([slice], "web"), endpointsText([slice], ""), endpointsText([], "web")]).toEqual(["a:80,c:80,d:80 + 1 more...", "", "<none>"]);
});
