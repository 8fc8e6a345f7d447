import { describe, expect, test } from "bun:test";
import { render } from "../../apimachinery/field-errors.ts";
import type { LimitRangeItem, ResourceQuotaSpec } from "../generated/core/v1.ts";
import { limitranges } from "./limitrange.ts";
import { replicationcontrollers } from "./replicationcontroller.ts";
import { resourcequotas } from "./resourcequota.ts";

const rangeErrors = (limit: LimitRangeItem): string[] => limitranges.strategy.validate!({ metadata: { name: "x" }, spec: { limits: [limit] } }).map(render);

test("a container's default limit is the most there may be, its default request the limit", () => {
  const range = { metadata: { name: "x" }, spec: { limits: [{ type: "Container", max: { cpu: "2" }, min: { memory: "1Mi" }, defaultRequest: { cpu: "1" } }] } };
  limitranges.default!(range);
  expect(range.spec.limits[0]).toMatchObject({ default: { cpu: "2" }, defaultRequest: { cpu: "1", memory: "1Mi" } });
});

describe("limit ranges", () => {
  test.each<[LimitRangeItem, string[]]>([
    [{ type: "Container", min: { cpu: "3" }, max: { cpu: "2" } }, ["spec.limits[0].min[cpu]: Invalid value: \"3\": min value 3 is greater than max value 2"]],
    [{ type: "Container", defaultRequest: { cpu: "3" }, default: { cpu: "2" } }, ["spec.limits[0].defaultRequest[cpu]: Invalid value: \"3\": default request value 3 is greater than default limit value 2"]],
    [{ type: "Container", min: { cpu: "1" }, max: { cpu: "2" }, maxLimitRequestRatio: { cpu: "5" } }, ["spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: \"5\": ratio 5 is greater than max/min = 2.000000"]],
    [{ type: "Pod", default: { cpu: "1" } }, ["spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'"]],
    [{ type: "PersistentVolumeClaim" }, ["spec.limits[0].limits: Required value: either minimum or maximum storage value is required, but neither was provided"]],
    [{ type: "Other" }, ["spec.limits[0].type: Invalid value: \"Other\": must be a standard limit type or fully qualified"]],
  ])("%j", (limit, expected) => expect(rangeErrors(limit)).toEqual(expected));
});

const quotaErrors = (spec: ResourceQuotaSpec): string[] => resourcequotas.strategy.validate!({ metadata: { name: "x" }, spec }).map(render);

describe("quotas", () => {
  test.each<[ResourceQuotaSpec, string[]]>([
    [{ hard: { pods: "1500m" } }, ["spec.hard[pods]: Invalid value: \"1500m\": must be an integer"]],
    [{ hard: { things: "1" } }, ["spec.hard[things]: Invalid value: \"things\": must be a standard resource type or fully qualified", "spec.hard[things]: Invalid value: \"things\": must be a standard resource for quota"]],
    [{ hard: { "count/deployments.apps": "1" } }, []],
    [{ hard: { cpu: "1" }, scopes: ["BestEffort"] }, ["spec.scopes: Invalid value: [\"BestEffort\"]: unsupported scope applied to resource"]],
    [{ scopes: ["Terminating", "NotTerminating"] }, ["spec.scopes: Invalid value: [\"Terminating\",\"NotTerminating\"]: conflicting scopes"]],
    [{ scopeSelector: { matchExpressions: [{ scopeName: "PriorityClass", operator: "In" }] } }, ["spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"]],
  ])("%j", (spec, expected) => expect(quotaErrors(spec)).toEqual(expected));

  test("scopes stay, and what is used shows in columns", () => {
    const quota = { metadata: { name: "x" }, spec: { scopes: ["BestEffort" as const] }, status: { hard: { pods: "10", "limits.cpu": "2" }, used: { pods: "3" } } };
    expect(resourcequotas.strategy.validateUpdate!(quota, { ...quota, spec: {} }).map(render)).toEqual(["spec.scopes: Invalid value: [\"BestEffort\"]: field is immutable"]);
    expect(resourcequotas.columns.map(({ value }) => value(quota, 0))).toEqual(["x", "pods: 3/10", "limits.cpu: 0/2", "<unknown>"]);
  });
});

test("a replication controller takes its selector and labels from its template", () => {
  const controller = replicationcontrollers.example!();
  replicationcontrollers.default!(controller);
  expect(controller).toMatchObject({ metadata: { labels: { app: "example" } }, spec: { replicas: 1, selector: { app: "example" } } });
  expect(replicationcontrollers.strategy.validate!({ metadata: { name: "x" }, spec: { replicas: -1 } }).map(render)).toEqual([
    "spec.selector: Required value", "spec.replicas: Invalid value: -1: must be greater than or equal to 0", "spec.template: Required value",
  ]);
});
