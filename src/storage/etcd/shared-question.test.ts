import { expect, test } from "bun:test";
import { SharedQuestion } from "./shared-question.ts";

test("who comes while a question is under way shares the next one, as its answer may be older than they are", async () => {
  const answers: ((answer: number) => void)[] = [];
  const question = new SharedQuestion(() => new Promise<number>((resolve) => answers.push(resolve)));
  const first = question.ask(), second = question.ask(), third = question.ask();
  expect(answers).toHaveLength(1);
  answers[0]!(1);
  expect(await first).toBe(1);
  await Bun.sleep(0);
  expect(answers).toHaveLength(2);
  const fourth = question.ask();
  answers[1]!(2);
  expect(await Promise.all([second, third])).toEqual([2, 2]);
  await Bun.sleep(0);
  answers[2]!(3);
  expect(await fourth).toBe(3);
  const alone = question.ask();
  answers[3]!(4);
  expect(await alone).toBe(4);
});

test("a question that fails does so for those who asked it; the next is put all the same", async () => {
  let times = 0;
  const question = new SharedQuestion(async () => {
    if (++times === 1) throw new Error("no");
    return times;
  });
  const first = question.ask().catch((error: Error) => error.message), second = question.ask();
  expect([await first, await second]).toEqual(["no", 2]);
});
