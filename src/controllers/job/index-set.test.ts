import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { firstMissing, formatIndexes, has, indexSet, overlap, parseIndexes, sizeOf, union, type IndexSet } from "./index-set.ts";

const limit = 60;
const indexes = fc.uniqueArray(fc.integer({ min: 0, max: limit - 1 }));
const members = (set: IndexSet): number[] => Array.from({ length: limit }, (_, index) => index).filter((index) => has(set, index));
const inOrder = (list: readonly number[]): number[] => list.toSorted((a, b) => a - b);

describe("sets of indexes", () => {
  test.each<[string, number, string]>([
    ["", 10, ""], ["1,3-5,7", 10, "1,3-5,7"], ["0,1", 10, "0,1"], ["0,1,2", 10, "0-2"], ["2-9", 5, "2-4"], ["7", 5, ""], ["a,1-b,3", 5, "3"], ["3,1", 5, "1,3"],
  ])("%p of %p is %p", (text, completions, expected) => expect(formatIndexes(parseIndexes(text, completions))).toBe(expected));

  test("hold what was put in, written and read again", () => {
    fc.assert(fc.property(indexes, (list) => {
      const set = indexSet(list);
      expect(members(set)).toEqual(inOrder(list));
      expect(sizeOf(set)).toBe(list.length);
      expect(parseIndexes(formatIndexes(set), limit)).toEqual(set);
      for (let i = 1; i < set.length; i++) expect(set[i]!.first).toBeGreaterThan(set[i - 1]!.last + 1);
    }));
  });

  test("are joined and compared as sets are", () => {
    fc.assert(fc.property(indexes, indexes, (a, b) => {
      expect(members(union(indexSet(a), indexSet(b)))).toEqual(inOrder([...new Set([...a, ...b])]));
      expect(overlap(indexSet(a), indexSet(b))).toBe(a.filter((index) => b.includes(index)).length);
    }));
  });

  test("know what they lack", () => {
    fc.assert(fc.property(indexes, fc.nat(80), fc.nat(limit), (list, count, completions) => {
      const lacking = Array.from({ length: completions }, (_, index) => index).filter((index) => !list.includes(index));
      expect(firstMissing(indexSet(list), count, completions)).toEqual(lacking.slice(0, count));
    }));
  });
});
