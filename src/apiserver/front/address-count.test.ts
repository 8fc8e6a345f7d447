import { expect, test } from "bun:test";
import { AddressCount } from "./address-count.ts";

test("an address has so many connections, whatever others have", () => {
  const count = new AddressCount(2);
  expect([count.add("a"), count.add("a"), count.add("a"), count.add("b")]).toEqual([true, true, false, true]);
  count.remove("a");
  expect([count.add("a"), count.add("a")]).toEqual([true, false]);
});
