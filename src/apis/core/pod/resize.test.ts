import { describe, expect, test } from "bun:test";
import { render } from "../../../apimachinery/field-errors.ts";
import type { Pod } from "../../generated/core/v1.ts";
import { anyone } from "../../testing/anyone.ts";
import { pods } from "./pod.ts";

function pod(change: (object: Pod) => void = () => undefined): Pod {
  const object = pods.example!();
  object.metadata.generation = 1;
  object.spec.containers[0]!.resources = { requests: { cpu: "1", memory: "1Gi" }, limits: { cpu: "2", memory: "1Gi" } };
  pods.default!(object);
  pods.strategy.prepareForCreate!(object, anyone);
  change(object);
  return object;
}
const { validateUpdate, prepareForUpdate } = pods.strategy.views!["resize"]!;

describe("a resize", () => {
  test("of CPU and memory is a new generation", () => {
    const grown = pod((object) => { object.spec.containers[0]!.resources!.requests!["cpu"] = "1500m"; });
    expect(validateUpdate!(grown, pod())).toEqual([]);
    prepareForUpdate!(grown, pod(), anyone);
    expect(grown.metadata.generation).toBe(2);
  });
  test.each<[string, (object: Pod) => void, string[]]>([
    ["that takes a request away", (object) => { delete object.spec.containers[0]!.resources!.requests!["memory"]; }, ["spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed"]],
    ["of something else", (object) => { Object.assign(object.spec.containers[0]!.resources!, { requests: { cpu: "1", memory: "1Gi", "ephemeral-storage": "1" } }); }, ["spec: Forbidden: only cpu and memory resources are mutable"]],
    ["to another class", (object) => { object.spec.containers[0]!.resources!.limits!["cpu"] = "1"; }, ["spec: Invalid value: \"Burstable\": Pod QOS Class may not change as a result of resizing"]],
    ["that renames", (object) => { object.spec.containers[0]!.name = "other"; }, ["spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize"]],
  ])("%s", (_, change, expected) => expect(validateUpdate!(pod(change), pod()).map(render)).toEqual(expected));
});
