import type { Frozen } from "../../../apimachinery/meta.ts";
import type { TokenRequest } from "../../../apis/generated/authentication/v1.ts";
import type { PersistentVolume, PersistentVolumeClaim, Pod, Volume } from "../../../apis/generated/core/v1.ts";
import type { CSIDriver } from "../../../apis/generated/storage/v1.ts";
import type { Authorizer } from "../../attributes.ts";
import type { Listers } from "../../listers.ts";
import type { AdmissionAttributes } from "../admission.ts";

/** A node gets tokens for its pods, and for what those say they are for. */
export function judgeToken(node: string, attributes: AdmissionAttributes, listers: Listers, authorizer: Authorizer): string | undefined {
  const request = attributes.object as TokenRequest | undefined;
  const ref = request?.spec?.boundObjectRef;
  if (!ref || ref.kind !== "Pod" || ref.apiVersion !== "v1" || !ref.name) return "node requested token not bound to a pod";
  if (!ref.uid) return "node requested token with a pod binding without a uid";
  const pod = listers<Pod>("", "pods").get(`${attributes.namespace}/${ref.name}`);
  if (!pod) return `pod ${JSON.stringify(ref.name)} not found`;
  if (pod.metadata.uid !== ref.uid) return `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`;
  if (pod.spec.nodeName !== node) return "node requested token bound to a pod scheduled on a different node";
  return judgeAudience(request?.spec?.audiences ?? [], pod, attributes, listers, authorizer);
}

function judgeAudience(audiences: readonly string[], pod: Frozen<Pod>, { context: { user }, namespace, name }: AdmissionAttributes, listers: Listers, authorizer: Authorizer): string | undefined {
  if (audiences.length > 1) return "node may only request 0 or 1 audiences";
  const audience = audiences[0] ?? "";
  if ((pod.spec.volumes ?? []).some((volume) => wantsAudience(volume, audience, pod, listers))) return undefined;
  // The audience stands in the place of the resource, so that roles can name it, or "*".
  const { allowed } = authorizer.authorize({ user, verb: "request-serviceaccounts-token-audience", group: "", version: "v1", resource: audience, subresource: "", namespace, name });
  return allowed ? undefined : `audience ${JSON.stringify(audience)} not found in pod spec volume, ${user.name} is not authorized to request tokens for this audience`;
}

function wantsAudience(volume: Frozen<Volume>, audience: string, pod: Frozen<Pod>, listers: Listers): boolean {
  if (volume.projected?.sources?.some(({ serviceAccountToken }) => serviceAccountToken && (serviceAccountToken.audience ?? "") === audience)) return true;
  const driver = driverOf(volume, pod, listers);
  return driver !== undefined && (listers<CSIDriver>("storage.k8s.io", "csidrivers").get(driver)?.spec.tokenRequests?.some((request) => request.audience === audience) ?? false);
}

function driverOf({ name, csi, ephemeral, persistentVolumeClaim }: Frozen<Volume>, { metadata }: Frozen<Pod>, listers: Listers): string | undefined {
  if (csi) return csi.driver;
  const claimName = ephemeral ? `${metadata.name}-${name}` : persistentVolumeClaim?.claimName;
  const claim = claimName && listers<PersistentVolumeClaim>("", "persistentvolumeclaims").get(`${metadata.namespace}/${claimName}`);
  const volume = claim && claim.spec?.volumeName ? listers<PersistentVolume>("", "persistentvolumes").get(claim.spec.volumeName) : undefined;
  return volume?.spec?.csi?.driver;
}
