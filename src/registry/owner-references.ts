import type { KubeObject } from "../apimachinery/meta.ts";
import type { RequestContext } from "./attributes.ts";

/** Owners that come twice are taken once, with a warning. Source: k8s.io/apiserver pkg/endpoints/handlers/rest.go dedupOwnerReferencesAndAddWarning. */
export function dedupOwnerReferences({ metadata }: KubeObject, context: RequestContext, afterAdmission: boolean): void {
  const given = metadata.ownerReferences;
  if (!given || given.length < 2) return;
  const kept: typeof given = [], repeated = new Set<string>(), seen = new Set<string>();
  for (const reference of given) {
    const { apiVersion, kind, name, uid, controller, blockOwnerDeletion } = reference;
    // There may be thousands: each is looked up, not compared with all others.
    const identity = JSON.stringify([apiVersion, kind, name, uid, controller, blockOwnerDeletion]);
    if (seen.has(identity)) repeated.add(uid);
    else kept.push(reference);
    seen.add(identity);
  }
  if (repeated.size === 0) return;
  metadata.ownerReferences = kept;
  context.warn(`.metadata.ownerReferences contains duplicate entries${afterAdmission ? " after mutating admission happens" : ""}; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${[...repeated].join(", ")}`);
}
