import { duplicate, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { validateImmutableField, validateLabels } from "../../apimachinery/validation/object-meta.ts";
import { dnsLabel } from "../core/field-rules.ts";
import { validateResources } from "../core/pod/validation-resources.ts";
import { validateTolerations } from "../core/pod/validation-scheduling.ts";
import type { Toleration } from "../generated/core/v1.ts";
import type { RuntimeClass, Scheduling } from "../generated/node/v1.ts";
import { deprecatedLabelWarning } from "./deprecated-labels.ts";
export type { RuntimeClass } from "../generated/node/v1.ts";

export const runtimeclasses = defineResource<RuntimeClass>({
  group: "node.k8s.io", version: "v1", kind: "RuntimeClass", resource: "runtimeclasses", scope: "Cluster",
  schema: "io.k8s.api.node.v1.RuntimeClass",
  strategy: {
    validate,
    validateUpdate: (runtimeClass, old) => validateImmutableField(runtimeClass.handler ?? "", old.handler ?? "", "handler"),
    warnings: ({ scheduling }) => Object.keys(scheduling?.nodeSelector ?? {}).flatMap((label) => deprecatedLabelWarning("scheduling.nodeSelector", label)),
    allowUnconditionalUpdate: false,
  },
  columns: [
    nameColumn(),
    { name: "Handler", type: "string", description: "", value: ({ handler }) => handler ?? "" },
    ageColumn(),
  ],
  example: () => ({ apiVersion: "node.k8s.io/v1", kind: "RuntimeClass", metadata: { name: "example" }, handler: "example" }),
});

function validate({ handler, overhead, scheduling }: Frozen<RuntimeClass>): FieldError[] {
  return [
    ...(handler ? dnsLabel("handler", handler) : [required("handler")]),
    ...(overhead ? validateResources("overhead", { limits: overhead.podFixed }, new Set()) : []),
    ...(scheduling ? validateScheduling("scheduling", scheduling) : []),
  ];
}

/** As messages show it: Go's internal form. */
const inside = ({ key, operator, value, effect, tolerationSeconds }: Frozen<Toleration>): object => ({ Key: key ?? "", Operator: operator ?? "", Value: value ?? "", Effect: effect ?? "", TolerationSeconds: tolerationSeconds ?? null });

function validateScheduling(field: string, { nodeSelector, tolerations = [] }: Frozen<Scheduling>): FieldError[] {
  const keys = tolerations.map(({ key, operator, value, effect }) => JSON.stringify([key, operator, value, effect]));
  return [
    ...validateLabels(nodeSelector, `${field}.nodeSelector`),
    ...validateTolerations(`${field}.tolerations`, tolerations),
    ...tolerations.flatMap((toleration, index) => (keys.indexOf(keys[index]!) < index ? [duplicate(`${field}.tolerations[${index}]`, inside(toleration))] : [])),
  ];
}
