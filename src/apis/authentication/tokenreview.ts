import { defineResource } from "../../apimachinery/resource.ts";
import type { TokenReview } from "../generated/authentication/v1.ts";
export type { TokenReview } from "../generated/authentication/v1.ts";

/** Asks whose token this is; answered at once, never stored. */
export const tokenreviews = defineResource<TokenReview>({
  group: "authentication.k8s.io", version: "v1", kind: "TokenReview", resource: "tokenreviews", scope: "Cluster", verbs: ["create"],
  schema: "io.k8s.api.authentication.v1.TokenReview",
});
