import { afterEach, expect, setSystemTime, test } from "bun:test";
import { eventually } from "../../../test/support/eventually.ts";
import { Deadlines } from "./deadlines.ts";

afterEach(() => void setSystemTime());

test.each([["forward", 3_600_000], ["back", -3_600_000]])("a clock that is set %s ends nobody's time early or late", async (_, jump) => {
  const deadlines = new Deadlines();
  const expired: string[] = [];
  const member = (name: string, ms: number) => {
    const one = { deadline: performance.now() + ms, expire: () => void (expired.push(name), one.deadline = Infinity) };
    deadlines.add(one);
    return one;
  };
  const patient = member("patient", 600_000);
  member("before", 300);
  setSystemTime(new Date(Date.now() + jump));
  member("after", 10);
  await eventually(() => expect(expired).toEqual(expect.arrayContaining(["before", "after"])));
  expect(expired).toHaveLength(2);
  deadlines.delete(patient);
});
