import { expect, test } from "bun:test";
import { recursivelyReadOnly } from "./mounts.ts";

const mount = { name: "v", mountPath: "/v", readOnly: true };

test.each([
  [{ ...mount }, true, false],
  [{ ...mount, recursiveReadOnly: "Disabled" }, true, false],
  [{ ...mount, recursiveReadOnly: "IfPossible" }, true, true],
  [{ ...mount, recursiveReadOnly: "IfPossible" }, false, false],
  [{ ...mount, recursiveReadOnly: "Enabled" }, true, true],
])("%j with a runtime that can (%p) is read-only below: %p", (given, isSupported, expected) => {
  expect(recursivelyReadOnly(given, isSupported)).toBe(expected);
});

test.each([
  [{ ...mount, recursiveReadOnly: "Enabled" }, "not supported by the runtime"],
  [{ ...mount, recursiveReadOnly: "IfPossible", readOnly: false }, "not read-only"],
  [{ ...mount, recursiveReadOnly: "IfPossible", mountPropagation: "HostToContainer" as const }, 'not compatible with propagation "HostToContainer"'],
])("%j is refused: %s", (given, reason) => {
  expect(() => recursivelyReadOnly(given, false)).toThrow(`failed to resolve recursive read-only mode: volume "v" requested recursive read-only mode, but it is ${reason}`);
});
