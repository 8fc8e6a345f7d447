import { describe, expect, test } from "bun:test";
import { render } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { poddisruptionbudgets } from "../policy/poddisruptionbudget.ts";
import { horizontalpodautoscalers as v2, type HorizontalPodAutoscaler } from "./horizontalpodautoscaler.ts";
import { horizontalpodautoscalersV1 as v1 } from "./horizontalpodautoscaler-v1.ts";
import { toV1, toV2 } from "./v1-conversion.ts";

function autoscaler(change: (object: HorizontalPodAutoscaler) => void = () => undefined): HorizontalPodAutoscaler {
  const object = v2.example!();
  change(object);
  v2.default!(object);
  return object;
}
const cpu = (averageUtilization: number) => ({ type: "Resource" as const, resource: { name: "cpu", target: { type: "Utilization" as const, averageUtilization } } });

test("defaults: one replica at least, CPU at 80 per cent, and the rest of a behavior", () => {
  expect(autoscaler().spec).toMatchObject({ minReplicas: 1, metrics: [cpu(80)] });
  expect(autoscaler((object) => { object.spec!.behavior = { scaleDown: { stabilizationWindowSeconds: 5 } }; }).spec!.behavior).toEqual({
    scaleUp: { stabilizationWindowSeconds: 0, selectPolicy: "Max", policies: [{ type: "Pods", value: 4, periodSeconds: 15 }, { type: "Percent", value: 100, periodSeconds: 15 }] },
    scaleDown: { stabilizationWindowSeconds: 5, selectPolicy: "Max", policies: [{ type: "Percent", value: 100, periodSeconds: 15 }] },
  });
});

describe("autoscalers", () => {
  test.each<[string, (object: HorizontalPodAutoscaler) => void, string[]]>([
    ["no maximum", (object) => { object.spec!.maxReplicas = 0; }, ["spec.maxReplicas: Required value: must be set and greater than 0", "spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`"]],
    ["a target of the core group", (object) => { object.spec!.scaleTargetRef.apiVersion = "v1"; }, ["spec.scaleTargetRef.apiVersion: Invalid value: \"v1\": apiVersion must specify API group"]],
    ["a source of another type", (object) => { object.spec!.metrics = [{ ...cpu(50), type: "Pods" }]; }, ["spec.metrics[0].pods: Required value: must populate information for the given metric source"]],
    ["neither value nor utilization", (object) => { object.spec!.metrics = [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization" } } }]; }, ["spec.metrics[0].resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization"]],
    ["a window too long", (object) => { object.spec!.behavior = { scaleUp: { stabilizationWindowSeconds: 4000 } }; }, ["spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 4000: must be less than or equal to 3600"]],
  ])("%s", (_, change, expected) => expect(v2.strategy.validate!(autoscaler(change)).map(render)).toEqual(expected));

  test("targets as columns show them", () => {
    const object = autoscaler((one) => {
      one.spec!.metrics = [cpu(50), { type: "Pods", pods: { metric: { name: "p" }, target: { type: "AverageValue", averageValue: "5" } } }, { type: "External", external: { metric: { name: "e" }, target: { type: "Value", value: "1" } } }];
      one.status = { desiredReplicas: 1, currentMetrics: [{ type: "Resource", resource: { name: "cpu", current: { averageUtilization: 20 } } }] };
    });
    expect(v2.columns.slice(1, 6).map(({ value }) => value(object as Frozen<HorizontalPodAutoscaler>, 0))).toEqual(["Deployment/example", "cpu: 20%/50%, <unknown>/5 + 1 more...", "1", 3, 0]);
  });
});

describe("autoscaling/v1", () => {
  const full = autoscaler((one) => {
    one.spec!.metrics = [
      { type: "Object", object: { describedObject: { apiVersion: "v1", kind: "Service", name: "s" }, metric: { name: "o" }, target: { type: "Value", value: "10k" } } },
      { type: "External", external: { metric: { name: "e", selector: { matchLabels: { a: "b" } } }, target: { type: "AverageValue", averageValue: "1" } } },
      { type: "ContainerResource", containerResource: { name: "memory", container: "c", target: { type: "AverageValue", averageValue: "1Gi" } } },
      cpu(50),
    ];
    one.spec!.behavior = { scaleDown: { tolerance: "100m" } };
    one.status = {
      desiredReplicas: 2, currentReplicas: 1, currentMetrics: [{ type: "Resource", resource: { name: "cpu", current: { averageUtilization: 20, averageValue: "50m" } } }],
      conditions: [{ type: "ScalingActive", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z", reason: "r", message: "m" }],
    };
  });
  test("has CPU in a field and the rest in annotations, and nothing is lost", () => {
    const shown = toV1(full as Frozen<HorizontalPodAutoscaler>);
    expect(shown.spec).toMatchObject({ targetCPUUtilizationPercentage: 50, minReplicas: 1, maxReplicas: 3 });
    expect(shown.status).toMatchObject({ currentReplicas: 1, desiredReplicas: 2, currentCPUUtilizationPercentage: 20 });
    expect(Object.keys(shown.metadata.annotations!).toSorted()).toEqual(["behavior", "conditions", "current-metrics", "metrics"].map((name) => `autoscaling.alpha.kubernetes.io/${name}`));
    expect(shown.metadata.annotations!["autoscaling.alpha.kubernetes.io/behavior"]).toStartWith("{\"ScaleUp\":{\"StabilizationWindowSeconds\":0,\"SelectPolicy\":\"Max\",\"Policies\":[{\"Type\":\"Pods\",\"Value\":4,\"PeriodSeconds\":15}");
    expect(toV2(shown as never)).toEqual(full);
  });
  test("annotations that cannot be read go", () => {
    const object = v1.example!();
    object.metadata.annotations = { "autoscaling.alpha.kubernetes.io/metrics": "no JSON", mine: "stays" };
    v1.default!(object);
    expect(object.metadata.annotations).toEqual({ mine: "stays" });
    expect(object.spec!.targetCPUUtilizationPercentage).toBe(80);
  });
  test("the same object is converted once", async () => {
    const [first] = await v1.stored!.read([full as never]), [second] = await v1.stored!.read([full as never]);
    expect(second).toBe(first!);
  });
});

test.each<[object, string[]]>([
  [{ minAvailable: 1 }, []],
  [{ minAvailable: "150%" }, ["spec.minAvailable: Invalid value: \"150%\": must not be greater than 100%"]],
  [{ minAvailable: 1, maxUnavailable: 1 }, ["spec: Invalid value: {\"MinAvailable\":1,\"Selector\":null,\"MaxUnavailable\":1,\"UnhealthyPodEvictionPolicy\":null}: minAvailable and maxUnavailable cannot be both set"]],
  [{ unhealthyPodEvictionPolicy: "Never" }, ["spec.unhealthyPodEvictionPolicy: Unsupported value: \"Never\": supported values: \"AlwaysAllow\", \"IfHealthyBudget\""]],
])("a disruption budget of %j", (spec, expected) => expect(poddisruptionbudgets.strategy.validate!({ metadata: { name: "x" }, spec }).map(render)).toEqual(expected));
