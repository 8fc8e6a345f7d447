import { expect, test } from "bun:test";
import { render } from "../../apimachinery/field-errors.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { made, type Change } from "../testing/made.ts";
import { flowschemas } from "./flowschema.ts";
import { prioritylevelconfigurations } from "./prioritylevelconfiguration.ts";

test.each([
  ["precedence", flowschemas, (o) => { o.spec.matchingPrecedence = 1; }, ["spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1"]],
  ["a rule of nothing", flowschemas, (o) => { o.spec.rules = [{}]; }, ["spec.rules[0].subjects: Required value: subjects must contain at least one value", "spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty"]],
  ["subjects", flowschemas, (o) => { o.spec.rules = [{ subjects: [{ kind: "User", group: { name: "a" } }, { kind: "Robot" }, { kind: "ServiceAccount", serviceAccount: {} }], nonResourceRules: [{ verbs: ["get"], nonResourceURLs: ["/a*", "a", "/a/*"] }] }]; }, ["spec.rules[0].subjects[0].user: Required value: user is required when subject kind is 'User'", "spec.rules[0].subjects[0].group: Forbidden: group is forbidden when subject kind is not 'Group'", "spec.rules[0].subjects[1].kind: Unsupported value: \"Robot\": supported values: \"Group\", \"ServiceAccount\", \"User\"", "spec.rules[0].subjects[2].serviceAccount.name: Required value", "spec.rules[0].subjects[2].serviceAccount.namespace: Required value: must specify namespace for service account", "spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: \"/a*\": wildcard can only do suffix matching", "spec.rules[0].nonResourceRules[0].nonResourceURLs[1]: Invalid value: \"a\": must start with slash"]],
  ["resources", flowschemas, (o) => { o.spec.rules = [{ subjects: [{ kind: "User", user: { name: "a" } }], resourceRules: [{ verbs: ["*", "get"], apiGroups: ["*"], resources: ["pods"] }] }]; }, ["spec.rules[0].resourceRules[0].verbs: Invalid value: [\"*\",\"get\"]: if '*' is present, must not specify other verbs", "spec.rules[0].resourceRules[0].namespaces: Required value: resource rules that are not cluster scoped must supply at least one namespace"]],
  ["a type", prioritylevelconfigurations, (o) => { o.spec = { type: "Other" }; }, ["spec.type: Unsupported value: \"Other\": supported values: \"Exempt\", \"Limited\""]],
  ["exempt by another name", prioritylevelconfigurations, (o) => { o.spec = { type: "Exempt" }; }, ["spec.type: Invalid value: \"Exempt\": must be 'Exempt' if and only if `name` is 'exempt'"]],
  ["queues", prioritylevelconfigurations, (o) => { o.spec.limited.limitResponse = { type: "Queue", queuing: { queues: 4, handSize: 6 } }; }, ["spec.limited.limitResponse.queuing.handSize: Invalid value: 6: should not be greater than queues (4)"]],
  ["too many hands", prioritylevelconfigurations, (o) => { o.spec.limited.limitResponse = { type: "Queue", queuing: { queues: 1024, handSize: 7 } }; }, ["spec.limited.limitResponse.queuing.handSize: Invalid value: 7: required entropy bits of deckSize 1024 and handSize 7 should not be greater than 60"]],
  ["a rejection with queues", prioritylevelconfigurations, (o) => { o.spec.limited.limitResponse.queuing = {}; }, ["spec.limited.limitResponse.queuing: Forbidden: must be nil if limited.limitResponse.type is not Limited"]],
] as [string, AnyResource, Change, string[]][])("validation: %s", (_, card, change, expected) => expect(card.strategy.validate!(made(card, change)).map(render)).toEqual(expected));

test.each([
  [prioritylevelconfigurations, (o) => { delete o.spec.limited.nominalConcurrencyShares; o.spec.limited.limitResponse = { type: "Queue", queuing: {} }; }, "spec.limited", {"limitResponse":{"type":"Queue","queuing":{"handSize":8,"queues":64,"queueLengthLimit":50}},"nominalConcurrencyShares":30,"lendablePercent":0}],
  [flowschemas, (o) => { delete o.spec.matchingPrecedence; }, "spec.matchingPrecedence", 1000],
] as [AnyResource, Change, string, unknown][])("defaults %#", (card, change, path, expected) => {
  expect(path.split(".").reduce((value, field) => value?.[field], made(card, change))).toEqual(expected);
});

test.each([
  [flowschemas, (o) => { o.spec.distinguisherMethod = { type: "ByUser" }; }, ["example", "global-default", 9000, "ByUser", "<unknown>", "?"]],
  [prioritylevelconfigurations, (o) => { o.spec.limited.limitResponse = { type: "Queue", queuing: {} }; }, ["example", "Limited", 1, 64, 8, 50, "<unknown>"]],
] as [AnyResource, Change, unknown[]][])("columns %#", (card, change, expected) => expect<unknown[]>(card.columns.map((column) => column.value(made(card, change), 0))).toEqual(expected));
