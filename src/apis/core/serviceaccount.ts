import { defineResource } from "../../apimachinery/resource.ts";
import type { ServiceAccount } from "../generated/core/v1.ts";
export type { ServiceAccount } from "../generated/core/v1.ts";

export const serviceaccounts = defineResource<ServiceAccount>({
  group: "", version: "v1", kind: "ServiceAccount", resource: "serviceaccounts", scope: "Namespaced", shortNames: ["sa"],
  subresources: { others: ["token"] },
  schema: "io.k8s.api.core.v1.ServiceAccount",
  example: () => ({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "example", namespace: "default" } }),
});
