import type { DeleteOptions } from "../apis/generated/meta/v1.ts";
import type { WriteRequest } from "./registry.ts";

type Options = Readonly<Record<string, unknown>>;

/**
 * The options of a create, update or patch as admission shows them to webhooks and policies: a patch is an update to them. The default of
 * fieldValidation is not shown, since what a client said can't be told from it here.
 */
export const writeOptionsObject = (kind: "CreateOptions" | "UpdateOptions", { dryRun, fieldManager, fieldValidation }: WriteRequest): Options => ({
  kind, apiVersion: "meta.k8s.io/v1",
  ...(dryRun ? { dryRun: ["All"] } : {}), ...(fieldManager ? { fieldManager } : {}), ...(fieldValidation && fieldValidation !== "Warn" ? { fieldValidation } : {}),
});

export const deleteOptionsObject = (options: DeleteOptions): Options => ({ ...options, kind: "DeleteOptions", apiVersion: "meta.k8s.io/v1" });
