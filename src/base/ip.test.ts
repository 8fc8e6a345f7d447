import { expect, test } from "bun:test";
import { formatAddress, parseAddress, unmapped } from "./ip.ts";

test.each([["::ffff:192.0.2.1", "192.0.2.1"], ["::FFFF:10.0.0.1", "10.0.0.1"], ["192.0.2.1", "192.0.2.1"], ["2001:db8::1", "2001:db8::1"], ["::ffff:c000:201", "::ffff:c000:201"], ["", ""]])("a peer at %p is %p", (text, expected) => {
  expect(unmapped(text)).toBe(expected);
});

test.each(["0.0.0.0", "255.255.255.255", "::", "::1", "2001:db8::", "fd00:42:0:1::2", "1:2:3:4:5:6:7:8", "1:0:0:2::3"])("%s is written as it was read", (text) => {
  expect(formatAddress(parseAddress(text)!)).toBe(text);
});
