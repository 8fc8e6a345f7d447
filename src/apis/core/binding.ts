import { defineResource } from "../../apimachinery/resource.ts";
import type { Binding } from "../generated/core/v1.ts";

/** The older door to pods/binding: the pod is the one of the binding's name. */
export const bindings = defineResource<Binding>({
  group: "", version: "v1", kind: "Binding", resource: "bindings", scope: "Namespaced", verbs: ["create"],
  schema: "io.k8s.api.core.v1.Binding",
});
