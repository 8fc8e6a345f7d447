import { describe, expect, test } from "bun:test";
import type { Endpoints, EndpointSubset } from "../../apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../apis/generated/discovery/v1.ts";
import { planMirror, shouldMirror, type MirrorPlan } from "./plan.ts";

const endpoints = (subsets: EndpointSubset[], metadata: Partial<Endpoints["metadata"]> = {}): Endpoints => ({ metadata: { name: "ext", namespace: "default", uid: "e", ...metadata }, subsets });
const web = { name: "web", port: 80, protocol: "TCP" as const };
/** The slices after a plan, as the server would have them. */
function applied(existing: EndpointSlice[], { create, update, delete: gone }: MirrorPlan): EndpointSlice[] {
  const kept = existing.filter((slice) => !gone.some(({ metadata }) => metadata.name === slice.metadata.name)).map((slice) => update.find(({ metadata }) => metadata.name === slice.metadata.name) ?? slice);
  return [...kept, ...create.map((slice, i) => ({ ...slice, metadata: { ...slice.metadata, name: `ext-${existing.length + i}` } }))];
}
const brief = (plan: MirrorPlan): number[] => [plan.create.length, plan.update.length, plan.delete.length];

test("one slice for each subset and family, with the state and the labels of the Endpoints", () => {
  const object = endpoints([{ addresses: [{ ip: "10.1.2.3", hostname: "a", nodeName: "n" }, { ip: "fd00::1" }], notReadyAddresses: [{ ip: "10.1.2.4" }], ports: [web] }], {
    labels: { team: "x" }, annotations: { note: "y", "endpoints.kubernetes.io/last-change-trigger-time": "t", "kubectl.kubernetes.io/last-applied-configuration": "{}" },
  });
  const { create } = planMirror(object, []);
  expect(create.map(({ addressType, endpoints: all, ports }) => [addressType, all, ports])).toEqual([
    ["IPv4", [{ addresses: ["10.1.2.3"], conditions: { ready: true }, hostname: "a", nodeName: "n" }, { addresses: ["10.1.2.4"], conditions: { ready: false } }], [web]],
    ["IPv6", [{ addresses: ["fd00::1"], conditions: { ready: true } }], [web]],
  ]);
  expect(create[0]!.metadata).toEqual({
    generateName: "ext-", namespace: "default", annotations: { note: "y" },
    labels: { team: "x", "kubernetes.io/service-name": "ext", "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io" },
    ownerReferences: [{ apiVersion: "v1", kind: "Endpoints", name: "ext", uid: "e", controller: true, blockOwnerDeletion: true }],
  });
});

describe("afterwards", () => {
  const object = endpoints([{ addresses: [{ ip: "10.1.2.3" }], ports: [web] }]);
  const slices = applied([], planMirror(object, []));
  const table: { name: string; to: Endpoints; expected: number[] }[] = [
    { name: "the same", to: object, expected: [0, 0, 0] },
    { name: "another address", to: endpoints([{ addresses: [{ ip: "10.1.2.9" }], ports: [web] }]), expected: [0, 1, 0] },
    { name: "another port, in the same slice", to: endpoints([{ addresses: [{ ip: "10.1.2.3" }], ports: [{ ...web, port: 81 }] }]), expected: [0, 1, 0] },
    { name: "one more subset", to: endpoints([...object.subsets!, { addresses: [{ ip: "10.1.2.4" }], ports: [{ ...web, name: "b", port: 81 }] }]), expected: [1, 0, 0] },
    { name: "none", to: endpoints([]), expected: [0, 0, 1] },
    { name: "of the other family", to: endpoints([{ addresses: [{ ip: "fd00::1" }], ports: [web] }]), expected: [1, 0, 1] },
    { name: "labels", to: { ...object, metadata: { ...object.metadata, labels: { a: "b" } } }, expected: [0, 1, 0] },
    { name: "other Endpoints of the name", to: { ...object, metadata: { ...object.metadata, uid: "later" } }, expected: [0, 1, 0] },
    { name: "going away", to: { ...endpoints([...object.subsets!, { addresses: [{ ip: "10.1.2.4" }], ports: [{ ...web, name: "b", port: 81 }] }]), metadata: { ...object.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } }, expected: [0, 0, 0] },
  ];
  for (const { name, to, expected } of table) {
    test(name, () => {
      const plan = planMirror(to, slices);
      expect(brief(plan)).toEqual(expected);
      if (!to.metadata.deletionTimestamp) expect(brief(planMirror(to, applied(slices, plan)))).toEqual([0, 0, 0]);
    });
  }
});

test("no more than a thousand addresses of a subset, and none that are not", () => {
  const many = Array.from({ length: 1001 }, (_, i) => ({ ip: `10.1.${i >> 8}.${i & 255}` }));
  const { create, invalid, tooMany } = planMirror(endpoints([{ addresses: [...many, { ip: "nonsense" }], ports: [web] }]), []);
  expect([create[0]!.endpoints.length, invalid, tooMany]).toEqual([1000, 1, 1]);
});

test("not what asks for it, nor leader elections", () => {
  expect(shouldMirror(endpoints([]))).toBe(true);
  expect(shouldMirror(endpoints([], { labels: { "endpointslice.kubernetes.io/skip-mirror": "true" } }))).toBe(false);
  expect(shouldMirror(endpoints([], { annotations: { "control-plane.alpha.kubernetes.io/leader": "{}" } }))).toBe(false);
});
