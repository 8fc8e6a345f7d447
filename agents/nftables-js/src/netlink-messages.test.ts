import { expect, test } from "bun:test";
import { attribute, attributesOf, bytesOf, flags, message, parseMessages, text, textOf } from "./netlink-messages.ts";

const one = (type: number, ...attributes: Uint8Array[]) => message({ type, flags: flags.request, family: 2, attributes });

test("messages that come together are told apart, each with its attributes", () => {
  const both = Buffer.concat([one(0xa02, attribute(1, text("skiff")), attribute(7, Uint8Array.of(1, 2, 3))), one(0xa0f, attribute(1, Uint8Array.of(0, 0, 0, 9)))]);
  const [first, second, ...rest] = parseMessages(both);
  expect(rest).toEqual([]);
  expect([first!.type, first!.family, textOf(attributesOf(first!.body).get(1)), [...bytesOf(attributesOf(first!.body).get(7)!)]]).toEqual([0xa02, 2, "skiff", [1, 2, 3]]);
  expect([second!.type, attributesOf(second!.body).get(1)!.getUint32(0)]).toEqual([0xa0f, 9]);
});

test("attributes within attributes, whatever marks their types have", () => {
  const inner = Buffer.concat([attribute(1, Uint8Array.of(10, 0, 0, 1)), attribute(2, Uint8Array.of(10, 0, 0, 2))]);
  const [parsed] = parseMessages(one(0x100, attribute(1, inner, { holdsOthers: true })));
  const within = attributesOf(attributesOf(parsed!.body).get(1)!);
  expect([...within].map(([type, value]) => `${type}: ${bytesOf(value).join(".")}`)).toEqual(["1: 10.0.0.1", "2: 10.0.0.2"]);
});

test("a kernel's error is a control message; what is cut off is left out", () => {
  const error = new Uint8Array(20);
  new DataView(error.buffer).setUint32(0, 20, true);
  new DataView(error.buffer).setUint16(4, 2, true);
  new DataView(error.buffer).setInt32(16, -2, true);
  const [parsed] = parseMessages(error);
  expect([parsed!.type, parsed!.body.getInt32(0, true)]).toEqual([2, -2]);
  const whole = one(0xa02, attribute(1, text("skiff")));
  for (let length = 0; length < whole.length; length++) expect(parseMessages(whole.slice(0, length))).toEqual([]);
  for (const broken of [[3, 0, 1, 0], [40, 0, 1, 0], [4]]) expect(attributesOf(new DataView(Uint8Array.from(broken).buffer)).size).toBe(0);
});
