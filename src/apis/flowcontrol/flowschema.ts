import { defineResource, ageColumn, nameColumn } from "../../apimachinery/resource.ts";
import type { FlowSchema } from "../generated/flowcontrol/v1.ts";
import { validateConditionTypes } from "./condition-types.ts";
import { validateFlowSchema } from "./flowschema-validation.ts";
export type { FlowSchema } from "../generated/flowcontrol/v1.ts";

export const flowschemas = defineResource<FlowSchema>({
  group: "flowcontrol.apiserver.k8s.io", version: "v1", kind: "FlowSchema", resource: "flowschemas", scope: "Cluster", subresources: { status: true },
  schema: "io.k8s.api.flowcontrol.v1.FlowSchema",
  default(schema) {
    const spec = (schema.spec ??= { priorityLevelConfiguration: { name: "" }, matchingPrecedence: 0 });
    spec.priorityLevelConfiguration ??= { name: "" };
    spec.matchingPrecedence ||= 1000;
    schema.status ??= {};
  },
  strategy: {
    resetFields: { status: [["metadata"], ["spec"]] },
    prepareForCreate(schema) {
      schema.status = {};
    },
    validate: validateFlowSchema,
    validateUpdate: (schema) => validateFlowSchema(schema),
    validateStatusUpdate: ({ status }) => validateConditionTypes(status?.conditions),
  },
  columns: [
    nameColumn(),
    { name: "PriorityLevel", type: "string", description: "`name` is the name of the priority level configuration being referenced Required.", value: ({ spec }) => spec.priorityLevelConfiguration?.name ?? "" },
    { name: "MatchingPrecedence", type: "string", description: "`matchingPrecedence` is used to choose among the FlowSchemas that match a given request. The chosen FlowSchema is among those with the numerically lowest (which we take to be logically highest) MatchingPrecedence.  Each MatchingPrecedence value must be ranged in [1,10000]. Note that if the precedence is not specified, it will be set to 1000 as default.", value: ({ spec }) => spec.matchingPrecedence ?? 0 },
    { name: "DistinguisherMethod", type: "string", description: "`distinguisherMethod` defines how to compute the flow distinguisher for requests that match this schema. `nil` specifies that the distinguisher is disabled and thus will always be the empty string.", value: ({ spec }) => spec.distinguisherMethod?.type ?? "<none>" },
    ageColumn(),
    { name: "MissingPL", type: "string", description: "references a broken or non-existent PriorityLevelConfiguration", value: ({ status }) => status?.conditions?.find(({ type }) => type === "Dangling")?.status ?? "?" },
  ],
  example: () => ({ apiVersion: "flowcontrol.apiserver.k8s.io/v1", kind: "FlowSchema", metadata: { name: "example" }, spec: { priorityLevelConfiguration: { name: "global-default" }, matchingPrecedence: 9000 } }),
});
