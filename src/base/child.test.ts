import { expect, test } from "bun:test";
import { hasEnded } from "./child.ts";

test.each<[how: string, command: string[], signal: NodeJS.Signals | undefined]>([
  ["well", ["true"], undefined],
  ["badly", ["false"], undefined],
  ["by a signal that asks", ["sleep", "1000"], "SIGTERM"],
  ["by one that doesn't", ["sleep", "1000"], "SIGKILL"],
])("a child that ends %s has ended", async (_, command, signal) => {
  const child = Bun.spawn(command);
  if (signal) {
    expect(hasEnded(child)).toBe(false);
    child.kill(signal);
  }
  await child.exited;
  expect(hasEnded(child)).toBe(true);
});
