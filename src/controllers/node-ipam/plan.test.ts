import { describe, expect, test } from "bun:test";
import { nextPodCidr, parseCidr } from "./plan.ts";

describe("the next range", () => {
  for (const [cluster, taken, expected] of [
    ["10.42.0.0/16", [], "10.42.0.0/24"],
    ["10.42.0.0/16", ["10.42.0.0/24", "10.42.2.0/24"], "10.42.1.0/24"],
    ["10.42.0.0/16", ["10.42.0.0/23"], "10.42.2.0/24"],
    ["10.42.0.0/16", ["192.168.0.0/24"], "10.42.0.0/24"],
    ["200.1.0.0/23", ["200.1.0.0/24", "200.1.1.0/24"], undefined],
    ["10.42.0.0/25", [], undefined],
  ] as const) test(`${cluster} without ${taken.join(" ")}`, () => expect(nextPodCidr(cluster, taken)).toBe(expected!));
});

test("only IPv4 CIDRs", () => {
  expect(parseCidr("10.42.3.4/16")).toEqual({ base: 0x0a2a0000, bits: 16 });
  for (const text of ["10.42.0.0", "fd00::/64", "10.42.0.256/16", "10.42.0.0/33"]) expect(() => parseCidr(text)).toThrow("is not an IPv4 CIDR");
});
