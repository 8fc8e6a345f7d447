import { describe, expect, test } from "bun:test";
import type { Node, Service } from "../../apis/generated/core/v1.ts";
import type { Endpoint, EndpointHints, EndpointSlice } from "../../apis/generated/discovery/v1.ts";
import { hintCloseness, removeHints, trafficDistributionOf } from "./hints.ts";
import type { SlicePlan } from "./plan.ts";
import { hintZones } from "./topology-hints.ts";
import { TopologyState } from "./topology-state.ts";
import { allocate, isOverloaded, zoneShares } from "./zone-shares.ts";

let count = 0;
const endpoint = (zone: string | undefined, extra: Partial<Endpoint> = {}): Endpoint => ({ addresses: [`10.42.0.${++count}`], conditions: { ready: true }, nodeName: `node-${zone}`, ...(zone ? { zone } : {}), ...extra });
const slice = (...endpoints: Endpoint[]): EndpointSlice => ({ metadata: { name: `s${++count}` }, addressType: "IPv4", endpoints, ports: [] });
const planOf = (slices: Partial<SlicePlan>): SlicePlan => ({ family: "IPv4", create: [], update: [], delete: [], unchanged: [], ...slices });
const forZone = (zone: string): EndpointHints => ({ forZones: [{ name: zone }] });
const service = (spec: object, annotations: Record<string, string> = {}): Service => ({ metadata: { name: "s", annotations }, spec } as Service);

describe("traffic distribution", () => {
  test.each([
    ["PreferClose", {}, "PreferClose"], ["PreferSameZone", {}, "PreferSameZone"], ["PreferSameNode", {}, "PreferSameNode"], [undefined, {}, undefined],
    ["PreferClose", { "service.kubernetes.io/topology-mode": "Auto" }, undefined], ["PreferClose", { "service.kubernetes.io/topology-mode": "Off" }, "PreferClose"],
    ["PreferClose", { "service.kubernetes.io/topology-aware-hints": "auto" }, undefined],
    ["PreferClose", { "service.kubernetes.io/topology-aware-hints": "disabled", "service.kubernetes.io/topology-mode": "Auto" }, "PreferClose"],
  ] as const)("%s with %p", (trafficDistribution, annotations, expected) => expect(trafficDistributionOf(service({ trafficDistribution }, annotations))).toBe(expected as never));

  test("ready endpoints are for their zone", () => {
    const plan = planOf({ create: [slice(endpoint("a"), endpoint(undefined), endpoint("b", { conditions: { ready: false } }))] });
    hintCloseness(plan, "PreferClose");
    expect(plan.create[0]!.endpoints.map(({ hints }) => hints)).toEqual([forZone("a"), undefined, undefined]);
  });

  test("and for their node", () => {
    const plan = planOf({ update: [slice(endpoint("a", { nodeName: "n1" }), endpoint(undefined, { nodeName: "n2" }))] });
    hintCloseness(plan, "PreferSameNode");
    expect(plan.update[0]!.endpoints.map(({ hints }) => hints)).toEqual([{ ...forZone("a"), forNodes: [{ name: "n1" }] }, { forNodes: [{ name: "n2" }] }]);
  });

  test("only slices whose hints are wrong change", () => {
    const right = slice(endpoint("a", { hints: forZone("a") }), endpoint("b", { hints: forZone("b") }));
    const wrong = slice(endpoint("a", { hints: forZone("b") })), missing = slice(endpoint("a"));
    const plan = planOf({ unchanged: [right, wrong, missing] });
    hintCloseness(plan, "PreferSameZone");
    expect([plan.unchanged, plan.update.map(({ metadata }) => metadata.name)]).toEqual([[right], [wrong.metadata.name, missing.metadata.name]]);
    expect(plan.update.map(({ endpoints }) => endpoints[0]!.hints)).toEqual([forZone("a"), forZone("a")]);
    expect(wrong.endpoints[0]!.hints).toEqual(forZone("b"));
  });

  test("taken back, from all slices that have any", () => {
    const none = slice(endpoint("a"));
    const plan = planOf({ create: [slice(endpoint("a", { hints: forZone("a") }))], unchanged: [none, slice(endpoint("a"), endpoint("b", { hints: forZone("b") }))] });
    removeHints(plan);
    expect([plan.unchanged, [...plan.create, ...plan.update].flatMap(({ endpoints }) => endpoints.map(({ hints }) => hints))]).toEqual([[none], [undefined, undefined, undefined]]);
  });
});

const node = (zone: string | undefined, cpu = "4", { ready = "True", labels = {} }: { ready?: string; labels?: Record<string, string> } = {}): Node =>
  ({ metadata: { name: `n${++count}`, labels: { ...(zone ? { "topology.kubernetes.io/zone": zone } : {}), ...labels } }, spec: {}, status: { allocatable: { cpu }, conditions: [{ type: "Ready", status: ready }] } });

test.each([
  ["by processors", [node("a", "3"), node("b", "500m"), node("b", "500m")], [["a", 0.75], ["b", 0.25]]],
  ["not of nodes that aren't ready, nor of the control plane", [node("a"), node("b"), node("b", "4", { ready: "False" }), node("a", "4", { labels: { "node-role.kubernetes.io/control-plane": "" } })], [["a", 0.5], ["b", 0.5]]],
  ["of one zone", [node("a"), node("a")], undefined],
  ["a node says no zone", [node("a"), node("b"), node(undefined)], undefined],
  ["a node says no processors", [node("a"), node("b", "0")], undefined],
] as const)("shares: %s", (_, nodes, expected) => expect(zoneShares(nodes as never) && [...zoneShares(nodes as never)!]).toEqual(expected as never));

const shares = (record: Record<string, number>): Map<string, number> => new Map(Object.entries(record));

test("allocations", () => {
  expect(Object.fromEntries(allocate(shares({ a: 0.5, b: 0.5 }), 4) as Map<string, object>)).toEqual({ a: { minimum: 2, maximum: 2, desired: 2 }, b: { minimum: 2, maximum: 2, desired: 2 } });
  expect(Object.fromEntries(allocate(shares({ a: 0.75, b: 0.25 }), 10) as Map<string, object>)).toEqual({ a: { minimum: 7, maximum: 7, desired: 7.5 }, b: { minimum: 3, maximum: 3, desired: 3 } });
  expect(allocate(undefined, 4)).toBe("Insufficient Node information: allocatable CPU or zone not specified on one or more nodes");
  expect(allocate(shares({ a: 0.5, b: 0.5 }), 1)).toBe("Insufficient number of endpoints (1 endpoints, 2 zones)");
  expect(allocate(shares({ a: 0.5, b: 0.5 }), 3)).toBe("Unable to allocate minimum required endpoints to each zone without exceeding overload threshold (3 endpoints, 2 zones)");
});

test.each([[{ a: 2, b: 2 }, { a: 0.5, b: 0.5 }, false], [{ a: 4, b: 1 }, { a: 0.5, b: 0.5 }, true], [{ a: 4 }, { a: 0.5, b: 0.5 }, true], [{ a: 1 }, undefined, true], [{}, undefined, false]] as const)("overloaded: %p of %p", (hints, of, expected) =>
  expect(isOverloaded(shares(hints as never), of && shares(of as never))).toBe(expected));

describe("topology hints", () => {
  const hintsOf = (plan: SlicePlan): string[] => [...plan.create, ...plan.update].flatMap(({ endpoints }) => endpoints.map(({ hints }) => hints?.forZones?.map(({ name }) => name).join() ?? "-"));

  test("each endpoint is for its own zone where the shares allow it", () => {
    const plan = planOf({ create: [slice(endpoint("a"), endpoint("a"), endpoint("b"), endpoint("b"), endpoint("b", { conditions: { ready: false } }))] });
    expect(hintZones(plan, shares({ a: 0.5, b: 0.5 }))).toEqual({ hints: shares({ a: 2, b: 2 }) });
    expect(hintsOf(plan)).toEqual(["a", "a", "b", "b", "-"]);
  });

  test("a zone that has too many gives some to one that has too few", () => {
    const plan = planOf({ create: [slice(endpoint("a"), endpoint("a"), endpoint("a"), endpoint("b"))] });
    expect(hintZones(plan, shares({ a: 0.5, b: 0.5 }))).toEqual({ hints: shares({ a: 2, b: 2 }) });
    expect(hintsOf(plan)).toEqual(["b", "a", "a", "b"]);
  });

  test("slices whose hints may stay don't change", () => {
    const kept = slice(endpoint("a", { hints: forZone("a") }), endpoint("b", { hints: forZone("b") }));
    const plan = planOf({ unchanged: [kept], update: [slice(endpoint("a"), endpoint("b"))] });
    hintZones(plan, shares({ a: 0.5, b: 0.5 }));
    expect([plan.unchanged, hintsOf(plan)]).toEqual([[kept], ["a", "b"]]);
    const stale = planOf({ unchanged: [slice(endpoint("a", { hints: forZone("gone") }), endpoint("b", { hints: forZone("b") }))] });
    hintZones(stale, shares({ a: 0.5, b: 0.5 }));
    expect(hintsOf(stale)).toEqual(["a", "b"]);
  });

  test("an endpoint without a zone ends them all", () => {
    const plan = planOf({ create: [slice(endpoint("a"), endpoint(undefined))], unchanged: [slice(endpoint("b", { hints: forZone("b") }), endpoint("a", { hints: forZone("a") }))] });
    expect(hintZones(plan, shares({ a: 0.5, b: 0.5 }))).toEqual({ disabled: "One or more endpoints do not have a zone specified" });
    expect(hintsOf(plan)).toEqual(["-", "-", "-", "-"]);
  });

  test("what is told, and who is looked at again", () => {
    let nodes = [node("a"), node("b")];
    const state = new TopologyState(() => nodes);
    const auto = service({}, { "service.kubernetes.io/topology-mode": "Auto" });
    const plan = (): SlicePlan => planOf({ create: [slice(endpoint("a"), endpoint("b"))] });
    expect(state.apply("ns/s", auto, plan())).toEqual({ type: "Normal", reason: "TopologyAwareHintsEnabled", message: "Topology Aware Hints has been enabled, addressType: IPv4" });
    expect(state.apply("ns/s", auto, plan())).toBeUndefined();
    expect(state.nodesChanged()).toEqual([]);
    nodes = [node("a"), node("b"), node("c")];
    expect(state.nodesChanged()).toEqual(["ns/s"]);
    expect(state.apply("ns/s", auto, plan())).toEqual({ type: "Warning", reason: "TopologyAwareHintsDisabled", message: "Insufficient number of endpoints (2 endpoints, 3 zones), addressType: IPv4" });
    nodes = [node("a"), node("b")];
    expect(state.nodesChanged()).toEqual(["ns/s"]);
    expect(state.apply("ns/s", auto, plan())?.reason).toBe("TopologyAwareHintsEnabled");
    expect(state.apply("ns/s", service({}), plan())).toEqual({ type: "Warning", reason: "TopologyAwareHintsDisabled", message: "Topology Aware Hints has been disabled, addressType: IPv4" });
    expect([state.apply("ns/s", service({}), plan()), state.nodesChanged()]).toEqual([undefined, []]);
  });
});
