import { describe, expect, test } from "bun:test";
import { render } from "../../apimachinery/field-errors.ts";
import { deployments, type Deployment } from "./deployment.ts";
import { replicasets } from "./replicaset.ts";

function deployment(change: (object: Deployment) => void = () => undefined): Deployment {
  const object = deployments.example!();
  change(object);
  deployments.default!(object);
  return object;
}
const errors = (change: (object: Deployment) => void): string[] => deployments.strategy.validate!(deployment(change)).map(render);

test("a deployment's defaults", () => {
  expect(deployment().spec).toMatchObject({
    replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600, strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } },
    template: { spec: { restartPolicy: "Always", terminationGracePeriodSeconds: 30 } },
  });
  expect(deployment(({ spec }) => { spec.replicas = 0; spec.strategy = { type: "Recreate" }; }).spec).toMatchObject({ replicas: 0, strategy: { type: "Recreate" } });
});

test.each([
  ["nothing", () => undefined, []],
  ["negative replicas", ({ spec }) => { spec.replicas = -1; }, ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"]],
  ["no selector", ({ spec }) => { delete spec.selector; }, ["spec.selector: Required value", "spec.template.metadata.labels: Invalid value: {\"app\":\"example\"}: `selector` does not match template `labels`"]],
  ["an empty selector", ({ spec }) => { spec.selector = {}; }, ["spec.selector: Invalid value: {}: empty selector is invalid for deployment"]],
  ["a selector that does not select", ({ spec }) => { spec.selector = { matchLabels: { app: "other" } }; }, ["spec.template.metadata.labels: Invalid value: {\"app\":\"example\"}: `selector` does not match template `labels`"]],
  ["a bad selector", ({ spec }) => { spec.selector = { matchExpressions: [{ key: "a", operator: "Is" }] }; }, ["spec.selector.matchExpressions[0].operator: Invalid value: \"Is\": not a valid selector operator", "spec.selector: Invalid value: {\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Is\"}]}: invalid label selector"]],
  ["pods that end", ({ spec }) => { spec.template.spec!.restartPolicy = "Never"; }, ["spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\""]],
  ["no room to roll", ({ spec }) => { spec.strategy = { rollingUpdate: { maxSurge: 0, maxUnavailable: "0%" } }; }, ["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"0%\": may not be 0 when `maxSurge` is 0"]],
  ["more than all", ({ spec }) => { spec.strategy = { rollingUpdate: { maxUnavailable: "101%" } }; }, ["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"101%\": must not be greater than 100%"]],
  ["parameters of another strategy", ({ spec }) => { spec.strategy = { type: "Recreate", rollingUpdate: {} }; }, ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"]],
  ["an early deadline", ({ spec }) => { spec.minReadySeconds = 700; }, ["spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"]],
  ["the template's containers", ({ spec }) => { spec.template.spec!.containers = []; }, ["spec.template.spec.containers: Required value"]],
] as [string, (object: Deployment) => void, string[]][])("a deployment with %s", (_, change, expected) => expect(errors(change)).toEqual(expected));

test("a selector stays", () => {
  const old = deployment(), object = deployment(({ spec }) => {
    spec.selector = { matchLabels: { app: "example", tier: "web" } };
    spec.template.metadata!.labels = { app: "example", tier: "web" };
  });
  expect(deployments.strategy.validateUpdate!(object, old).map(render)).toEqual(["spec.selector: Invalid value: {\"matchLabels\":{\"app\":\"example\",\"tier\":\"web\"}}: field is immutable"]);
});

test("a new generation comes of a new spec or new annotations", () => {
  const old = deployment(), changed = deployments.strategy.generationChanged!;
  expect(changed(deployment(), old)).toBe(false);
  expect(changed(deployment(({ metadata }) => { metadata.labels = { a: "b" }; }), old)).toBe(false);
  expect(changed(deployment(({ metadata }) => { metadata.annotations = { a: "b" }; }), old)).toBe(true);
  expect(changed(deployment(({ spec }) => { spec.replicas = 2; }), old)).toBe(true);
});

describe("a replica set", () => {
  test("counts within what it has", () => {
    const object = replicasets.example!();
    object.status = { replicas: 1, readyReplicas: 2, availableReplicas: -1 };
    expect(replicasets.strategy.validateStatusUpdate!(object, object).map(render)).toEqual([
      "status.availableReplicas: Invalid value: -1: must be greater than or equal to 0",
      "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas",
    ]);
  });
  test("without template says what is missing", () => {
    const object = replicasets.example!();
    delete object.spec.template;
    replicasets.default!(object);
    expect(replicasets.strategy.validate!(object).map(render)).toEqual(["spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`", "spec.template.spec.containers: Required value"]);
  });
});

test("columns", () => {
  const object = deployment(({ spec }) => { spec.replicas = 3; spec.template.spec!.containers.push({ name: "side", image: "b" }); });
  object.status = { replicas: 3, readyReplicas: 2, updatedReplicas: 3, availableReplicas: 2 };
  expect(deployments.columns.map(({ name }) => name)).toEqual(["Name", "Ready", "Up-to-date", "Available", "Age", "Containers", "Images", "Selector"]);
  expect(deployments.columns.map((column) => column.value(object, 0))).toEqual(["example", "2/3", 3, 2, "<unknown>", "main,side", "busybox:1.36,b", "app=example"]);
});
