import { expect, test } from "bun:test";
import { SignsOfLife } from "./signs-of-life.ts";

const grace = 40_000;

test("silence counts from the last sign, and goes on when the node is given up", () => {
  const signs = new SignsOfLife();
  signs.meet("n", 0, { givenUp: false });
  expect(signs.silence("n", 30_000, grace)).toBe(30_000);
  signs.heard("n", 31_000);
  expect(signs.silence("n", 31_000, grace)).toBe(0);
  expect(signs.silence("n", 71_001, grace)).toBe(grace + 1);
  expect(signs.silence("n", 600_000, grace)).toBe(569_000);
  signs.heard("n", 600_001);
  expect(signs.silence("n", 600_001, grace)).toBe(0);
});

test("a process that was stopped takes nobody for dead: silence counts anew", () => {
  const signs = new SignsOfLife();
  signs.meet("n", 0, { givenUp: false });
  const day = 24 * 3600 * 1000;
  expect(signs.silence("n", day, grace)).toBe(0);
  expect(signs.silence("n", day + 40_001, grace)).toBe(grace + 1);
});

test("when somebody answers after nobody did, all but those given up have their time again", () => {
  const signs = new SignsOfLife();
  for (const name of ["lost", "quiet"]) signs.meet(name, 0, { givenUp: name === "lost" });
  signs.restart(35_000);
  expect([signs.silence("quiet", 35_000, grace), signs.silence("lost", 35_000, grace)]).toEqual([0, Infinity]);
});

test("a node met as given up has to give a sign", () => {
  const signs = new SignsOfLife();
  signs.meet("n", 0, { givenUp: true });
  expect(signs.silence("n", 1000, grace)).toBeGreaterThan(grace);
  signs.heard("n", 2000);
  expect(signs.silence("n", 2000, grace)).toBe(0);
  signs.forget("n");
  signs.heard("n", 3000);
  expect(signs.silence("n", 300_000, grace)).toBe(0);
});
