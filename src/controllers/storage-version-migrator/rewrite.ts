import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { apiVersionOf, type AnyResource } from "../../apimachinery/resource.ts";
import { isConflict, isNotFound, StatusError } from "../../apimachinery/status.ts";
import type { Client } from "../../client/client.ts";

export interface Rewriting {
  /** The resource as it is served now: its storage version may change meanwhile. Undefined when it is gone, and its objects with it. */
  card(): AnyResource | undefined;
  /** In any version. */
  objects: readonly Frozen<KubeObject>[];
  /** Objects of a later revision than this are as they should be. */
  upTo: string;
  /** The field manager, which comes to own nothing. */
  manager: string;
  client: Client;
  signal: AbortSignal;
}

/**
 * Has the API server write each object once more, unchanged. Resolves with what was amiss with one that can't be written, or undefined;
 * throws when trying again may help.
 */
export async function rewrite({ card, objects, upTo, manager, client, signal }: Rewriting): Promise<string | undefined> {
  const last = Number(upTo);
  for (const { metadata: { namespace, name = "", uid, resourceVersion } } of objects) {
    if (Number(resourceVersion) > last) continue;
    const served = card();
    if (signal.aborted || !served) return undefined;
    try {
      // The uid and the revision keep what was deleted meanwhile from being made anew.
      await client.patch(served, { ...(namespace ? { namespace } : {}), name }, { type: "application/apply-patch+yaml", body: { apiVersion: apiVersionOf(served), kind: served.kind, metadata: { name, ...(namespace ? { namespace } : {}), uid, resourceVersion } } }, { fieldManager: manager });
    } catch (error) {
      // Written or deleted since: nothing is left to do.
      if (isConflict(error) || isNotFound(error)) continue;
      if (!(error instanceof StatusError) || mayPass.has(error.reason)) throw error;
      return error.message;
    }
  }
  return undefined;
}

const mayPass: ReadonlySet<string> = new Set(["ServerTimeout", "TooManyRequests", "ServiceUnavailable", "InternalError", "Timeout"]);
