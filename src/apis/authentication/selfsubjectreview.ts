import { defineResource } from "../../apimachinery/resource.ts";
import type { SelfSubjectReview } from "../generated/authentication/v1.ts";
export type { SelfSubjectReview } from "../generated/authentication/v1.ts";

/** `kubectl auth whoami`: answers who asks; never stored. */
export const selfsubjectreviews = defineResource<SelfSubjectReview>({
  group: "authentication.k8s.io", version: "v1", kind: "SelfSubjectReview", resource: "selfsubjectreviews", scope: "Cluster", verbs: ["create"],
  schema: "io.k8s.api.authentication.v1.SelfSubjectReview",
});
