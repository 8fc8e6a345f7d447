import { expect, test } from "bun:test";
import { SignsOfLife } from "./signs-of-life.ts";

const grace = 40_000;

test("silence counts from the last sign, and goes on when the node is given up", () => {
  const signs = new SignsOfLife(grace);
  expect(signs.silence("n", "a", 0)).toBe(0);
  expect(signs.silence("n", "a", 30_000)).toBe(30_000);
  expect(signs.silence("n", "b", 31_000)).toBe(0);
  expect(signs.silence("n", "b", 71_001)).toBe(grace + 1);
  expect(signs.silence("n", "b", 600_000)).toBe(569_000);
  expect(signs.silence("n", "c", 600_001)).toBe(0);
});

test("a machine that slept, or whose clock was set, takes nobody for dead: silence counts anew", () => {
  const signs = new SignsOfLife(grace);
  signs.silence("n", "a", 0);
  const day = 24 * 3600 * 1000;
  expect(signs.silence("n", "a", day)).toBe(0);
  expect(signs.silence("n", "a", day + 40_001)).toBe(grace + 1);
});

test("a node met as given up has to give a sign", () => {
  const signs = new SignsOfLife(grace);
  expect(signs.silence("n", "a", 0, true)).toBe(grace + 1);
  expect(signs.silence("n", "a", 1000, true)).toBe(grace + 1001);
  expect(signs.silence("n", "b", 2000, true)).toBe(0);
  signs.forget("n");
  expect(signs.silence("n", "b", 3000)).toBe(0);
});
