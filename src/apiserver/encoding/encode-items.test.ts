import { expect, test } from "bun:test";
import { encodeItems } from "./encode-items.ts";

const encode = (item: number): Buffer => Buffer.from(String(item));
const slow = (item: number): Buffer => {
  const end = performance.now() + 0.2;
  while (performance.now() < end);
  return encode(item);
};
const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

test("a short list is there at once", () => {
  expect(encodeItems([], encode)).toEqual([]);
  expect(encodeItems(numbers(40), encode)).toEqual(numbers(40).map(encode));
});

test("a list that takes long lets others in, and is whole", async () => {
  let turns = 0;
  const others = setInterval(() => turns++, 1);
  const encoding = encodeItems(numbers(1000), slow);
  expect(encoding).toBeInstanceOf(Promise);
  expect(await encoding).toEqual(numbers(1000).map(encode));
  clearInterval(others);
  expect(turns).toBeGreaterThan(4);
});

test("an item that can't be encoded fails the list, early or late", async () => {
  const failing = (at: number) => (item: number): Buffer => {
    if (item === at) throw new Error("broken");
    return slow(item);
  };
  expect(() => encodeItems(numbers(1000), failing(3))).toThrow("broken");
  await expect(Promise.resolve(encodeItems(numbers(1000), failing(900)))).rejects.toThrow("broken");
});
