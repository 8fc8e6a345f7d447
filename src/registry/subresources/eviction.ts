import { badRequest } from "../../apimachinery/status.ts";
import type { Status } from "../../apis/generated/meta/v1.ts";
import type { Eviction } from "../../apis/generated/policy/v1.ts";
import { deleteObject } from "../delete.ts";
import type { SubresourceCall } from "./creator.ts";

/** POST pods/eviction: a deletion with the eviction's own options. Disruption budgets are not served yet, so none can object. */
export async function createEviction({ machinery, context, card, key, body, options }: SubresourceCall): Promise<Status> {
  const { metadata, deleteOptions = {} } = body as Eviction;
  if (metadata?.name && metadata.name !== key.name) throw badRequest("name in URL does not match name in Eviction object");
  await deleteObject(machinery, context, card, key, { ...deleteOptions, ...(options.dryRun ? { dryRun: ["All"] } : {}) });
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };
}
