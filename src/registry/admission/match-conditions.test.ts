import { expect, test } from "bun:test";
import { configmaps } from "../../apis/builtins.ts";
import type { ConfigMap } from "../../apis/generated/core/v1.ts";
import { attributesOf } from "../testing/admission.ts";
import { createMatchConditions } from "./match-conditions.ts";

const allowed = { allowed: true, reason: "" };
const hold = createMatchConditions({ authorizer: { authorize: ({ verb }) => ({ allowed: verb === "update", reason: "" }), authorizePath: () => allowed } });
const attributes = attributesOf(configmaps, { object: { metadata: { name: "c", namespace: "n" }, data: { a: "b" } } as ConfigMap });
const ask = (failurePolicy: "Fail" | "Ignore", ...expressions: string[]) => hold(expressions.map((expression, index) => ({ name: `c${index}`, expression })), attributes, failurePolicy);

test("all must hold", async () => {
  expect(await ask("Fail", "object.data.a == 'b'", "request.operation == 'CREATE'", "object.kind == 'ConfigMap'")).toBe(true);
  expect(await ask("Fail", "true", "object.data.a == 'c'")).toBe(false);
  expect(await ask("Fail", "authorizer.group('').resource('configmaps').check('update').allowed() && !authorizer.requestResource.check('create').allowed()")).toBe(true);
});

test("a false one decides over one that fails; else the failure policy does", async () => {
  expect(await ask("Fail", "object.nope == 1", "false")).toBe(false);
  expect(await ask("Ignore", "object.nope == 1", "true")).toBe(false);
  expect(() => ask("Fail", "object.nope == 1")).toThrow(`configmaps "c" is forbidden: expression 'object.nope == 1' resulted in error: no such key: nope`);
});

test("together they stay within a budget", () => {
  const dear = "lists.range(90).all(a, lists.range(90).all(b, lists.range(15).all(c, a + b + c >= 0)))";
  expect(() => ask("Fail", dear, dear, dear, dear)).toThrow("validation failed due to running out of cost budget, no further validation rules will be run");
});
