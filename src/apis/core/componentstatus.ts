import type { Frozen } from "../../apimachinery/meta.ts";
import { defineResource, nameColumn } from "../../apimachinery/resource.ts";
import type { ComponentCondition, ComponentStatus } from "../generated/core/v1.ts";

/** Read only, and empty: scheduler and controllers run within this server, so that there is no component of which it could tell another health than its own. */
export const componentstatuses = defineResource<ComponentStatus>({
  group: "", version: "v1", kind: "ComponentStatus", resource: "componentstatuses", scope: "Cluster", shortNames: ["cs"], verbs: ["get", "list"],
  deprecation: "v1 ComponentStatus is deprecated in v1.19+",
  schema: "io.k8s.api.core.v1.ComponentStatus",
  columns: [
    nameColumn(),
    { name: "Status", type: "string", description: "Status of the component conditions", value: (component) => ({ undefined: "Unknown", True: "Healthy" })[String(healthOf(component)?.status)] ?? "Unhealthy" },
    { name: "Message", type: "string", description: "Message of the component conditions", value: (component) => healthOf(component)?.message ?? "" },
    { name: "Error", type: "string", description: "Error of the component conditions", value: (component) => healthOf(component)?.error ?? "" },
  ],
});

const healthOf = ({ conditions = [] }: Frozen<ComponentStatus>): Frozen<ComponentCondition> | undefined => conditions.find(({ type }) => type === "Healthy");
