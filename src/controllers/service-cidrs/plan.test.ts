import { expect, test } from "bun:test";
import type { ServiceCIDR } from "../../apis/generated/networking/v1.ts";
import { mayGo } from "./plan.ts";

const range = (name: string, ...cidrs: string[]): ServiceCIDR => ({ metadata: { name }, spec: { cidrs } });
const own = range("kubernetes", "10.43.0.0/16");

test.each([
  ["an unused one", range("a", "10.99.0.0/24"), ["10.43.0.1"], true],
  ["one that an address is of", range("a", "10.99.0.0/24"), ["10.99.0.7"], false],
  ["one within another", range("a", "10.43.1.0/24"), ["10.43.1.7"], true],
  ["one around another, with addresses of its own", range("a", "10.0.0.0/8"), ["10.43.1.7", "10.1.0.1"], false],
  ["one around another, without", range("a", "10.0.0.0/8"), ["10.43.1.7"], true],
  ["one of two families", range("a", "10.99.0.0/24", "2001:db8::/64"), ["2001:db8::7"], false],
] as const)("%s", (_, one, addresses, expected) => expect(mayGo(one, [own, one], addresses)).toBe(expected));
