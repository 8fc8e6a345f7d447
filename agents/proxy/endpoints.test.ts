import { expect, test } from "bun:test";
import { chooseEndpoints, type Endpoint } from "./endpoints.ts";

const place = { nodeName: "n1", zone: "a" };
const endpoint = (ip: string, facts: Partial<Endpoint> = {}): Endpoint => ({ ip, port: 80, ready: true, serving: true, terminating: false, local: false, forNodes: [], forZones: [], ...facts });
const ending = { ready: false, serving: true, terminating: true };

test.each<[string, Endpoint[], cluster: string, local: string, any: boolean]>([
  ["none", [], "", "", false],
  ["the ready ones", [endpoint("1"), endpoint("2", { local: true }), endpoint("3", { ready: false, serving: false })], "1 2", "2", true],
  ["ending ones while none is ready, for each policy by itself", [endpoint("1"), endpoint("2", { ...ending, local: true })], "1", "2", true],
  ["of ending ones those that serve", [endpoint("1", ending), endpoint("2", { ...ending, serving: false })], "1", "", true],
  ["not what neither is ready nor ends", [endpoint("1", { ready: false, serving: true })], "", "", false],
  ["those for this node", [endpoint("1", { forNodes: ["n1"], forZones: ["b"] }), endpoint("2", { forNodes: ["n2"], forZones: ["a"] })], "1", "", true],
  ["those for this zone when none is for this node", [endpoint("1", { forNodes: ["n3"], forZones: ["b"] }), endpoint("2", { forNodes: ["n2"], forZones: ["a"] })], "2", "", true],
  ["all when a hint is missing", [endpoint("1", { forZones: ["a"] }), endpoint("2")], "1 2", "", true],
  ["all when no hint is for here", [endpoint("1", { forZones: ["b"] }), endpoint("2", { forZones: ["c"] })], "1 2", "", true],
  ["hints of what isn't ready don't count", [endpoint("1", { forZones: ["a"] }), endpoint("2", { ready: false, serving: false })], "1", "", true],
])("%s", (_, all, cluster, local, any) => {
  const choice = chooseEndpoints(all, place), ips = (of: Endpoint[]): string => of.map(({ ip }) => ip).join(" ");
  expect([ips(choice.cluster), ips(choice.local), choice.any]).toEqual([cluster, local, any]);
});
