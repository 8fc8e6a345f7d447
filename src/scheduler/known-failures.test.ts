import { describe, expect, test } from "bun:test";
import type { Frozen } from "../apimachinery/meta.ts";
import type { Pod, Volume } from "../apis/generated/core/v1.ts";
import { KnownFailures, signatureOf } from "./known-failures.ts";
import { pod, type PodShape } from "./testing/cluster.ts";

const token = (suffix: string): Volume => ({ name: `kube-api-access-${suffix}`, projected: { sources: [] } });
const of = (name: string, shape: PodShape = {}, status: Pod["status"] = {}): Frozen<Pod> => ({ ...pod(name, { labels: { app: "web" }, requests: { cpu: "1" }, ...shape }), status });

describe("pods that fare alike", () => {
  const mounting = (suffix: string): Frozen<Pod> => of("p", { volumes: [token(suffix)], containers: [{ name: "main", image: "main:1", volumeMounts: [{ name: `kube-api-access-${suffix}`, mountPath: "/var/run" }] }] });
  test("have the same signature, whatever their names and tokens are", () => {
    expect(signatureOf(of("a"))).toBe(signatureOf(of("b", {}, { phase: "Pending" }))!);
    expect(signatureOf(mounting("abcde"))).toBe(signatureOf(mounting("fghij"))!);
  });
  const different: [what: string, Frozen<Pod>][] = [
    ["requests", of("p", { requests: { cpu: "2" } })], ["labels", of("p", { labels: { app: "db" } })], ["namespace", of("p", { namespace: "other" })], ["priority", of("p", { priority: 1 })],
    ["owner", { ...of("p"), metadata: { ...of("p").metadata, ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "rs", uid: "rs", controller: true }] } }], ["node selector", of("p", { nodeSelector: { a: "b" } })], ["ports", of("p", { hostPorts: [{ hostPort: 80 }] })],
    ["claim", of("p", { volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }] })], ["scheduler", of("p", { schedulerName: "other" })],
  ];
  test.each(different)("another %s makes them different", (_, other) => expect(signatureOf(other)).not.toBe(signatureOf(of("p"))!));
  const single: [what: string, Frozen<Pod>][] = [
    ["a promise", of("p", {}, { nominatedNodeName: "n" })], ["claims made for it", of("p", { volumes: [{ name: "v", ephemeral: {} }] })], ["devices", of("p", { resourceClaims: [{ name: "c" }] })],
  ];
  test.each(single)("one with %s is like no other", (_, other) => expect(signatureOf(other)).toBeUndefined());
});

test("what was decided counts until anything changes", () => {
  const known = new KnownFailures<string>();
  expect(known.get(1, 1)).toBeUndefined();
  known.add(1, "full");
  known.add(undefined, "single");
  expect([known.get(1, 1), known.get(2, 1), known.get(undefined, 1)]).toEqual(["full", undefined, undefined]);
  expect(known.get(1, 2)).toBeUndefined();
  expect(known.get(1, 2)).toBeUndefined();
});
