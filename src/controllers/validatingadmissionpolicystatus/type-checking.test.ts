import { expect, test } from "bun:test";
import { configmaps, deployments } from "../../apis/builtins.ts";
import type { ValidatingAdmissionPolicySpec } from "../../apis/generated/admissionregistration/v1.ts";
import { declTypeOf } from "../../cel/schema/decl-type.ts";
import { tableDeclType } from "../../cel/schema/table-type.ts";
import { typeCheck, type KindTypes } from "./type-checking.ts";

const kinds: KindTypes = { cards: [configmaps, deployments], declTypeOf: (card) => tableDeclType(card.schema) };
const rule = { operations: ["CREATE" as const], apiGroups: ["apps"], apiVersions: ["v1"], resources: ["deployments"] };
const check = (spec: ValidatingAdmissionPolicySpec, types = kinds) => typeCheck({ metadata: { name: "p" }, spec: { matchConstraints: { resourceRules: [rule] }, ...spec } }, types);

test("says what a kind doesn't have, and what has another type", () => {
  expect(check({ validations: [{ expression: "object.spec.replicas > '1'", messageExpression: "'wants replicas > 1, got ' + object.spec.replicas" }, { expression: "object.spec.replicas > 1" }, { expression: "has(object.spec.nope)" }] })).toEqual([
    { fieldRef: "spec.validations[0].expression", warning: "apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_>_' applied to '(int, string)'\n | object.spec.replicas > '1'\n | .....................^\n" },
    { fieldRef: "spec.validations[0].messageExpression", warning: expect.stringContaining("found no matching overload for '_+_' applied to '(string, int)'") },
    { fieldRef: "spec.validations[2].expression", warning: expect.stringContaining("undefined field 'nope'") },
  ]);
});

test("knows fields of fields, times, variables and params", () => {
  expect(check({
    paramKind: { apiVersion: "v1", kind: "ConfigMap" }, variables: [{ name: "first", expression: "object.spec.template.spec.containers[0].image" }],
    validations: [{ expression: "variables.first.startsWith(params.data['registry']) && object.metadata.creationTimestamp < timestamp('2030-01-01T00:00:00Z') && object.metadata.labels.all(k, k != 'a')" }],
  })).toEqual([]);
  expect(check({ paramKind: { apiVersion: "v1", kind: "ConfigMap" }, validations: [{ expression: "params.spec == 1" }] })).toHaveLength(1);
});

test("checks every kind that a rule names, and none for a wildcard", () => {
  const validations = [{ expression: "object.nope == 1" }];
  const both = check({ matchConstraints: { resourceRules: [{ ...rule, apiGroups: ["", "apps"], resources: ["configmaps", "deployments"] }] }, validations });
  expect(both.map(({ warning }) => warning.match(/^\S+, Kind=\w+/gm))).toEqual([["v1, Kind=ConfigMap", "apps/v1, Kind=Deployment"]]);
  expect(check({ matchConstraints: { resourceRules: [{ ...rule, apiGroups: ["*"] }] }, validations })).toEqual([]);
});

test("goes by a custom resource's schema", () => {
  const custom = declTypeOf({ type: "object", properties: { spec: { type: "object", properties: { replicas: { type: "integer" } } } } }, "CronTab", true);
  const warnings = check({ validations: [{ expression: "object.spec.replicas > '1'" }, { expression: "object.spec.maxRetries < 10" }, { expression: "object.metadata.name != ''" }] }, { cards: [deployments], declTypeOf: () => custom });
  expect(warnings.map(({ warning }) => warning)).toEqual([expect.stringContaining("'(int, string)'"), expect.stringContaining("undefined field 'maxRetries'")]);
});
