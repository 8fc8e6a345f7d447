import type { Frozen } from "../../../apimachinery/meta.ts";
import { compareQuantities, parseQuantity, value, type Quantity } from "../../../apimachinery/quantity.ts";
import type { PersistentVolumeClaim } from "../../generated/core/v1.ts";
import { countOf } from "./amounts.ts";
import { matchesValue, type QuotaEvaluator } from "./evaluator.ts";

const suffix = ".storageclass.storage.k8s.io/";
const plain = ["persistentvolumeclaims", "requests.storage"];

/** Claims and the storage they request, in all and by storage class. Source: kubernetes pkg/quota/v1/evaluator/core/persistent_volume_claims.go. */
export const claimQuota: QuotaEvaluator = {
  group: "", resource: "persistentvolumeclaims",
  matching: (names) => names.filter((name) => name === "count/persistentvolumeclaims" || plain.includes(name) || plain.some((each) => name.endsWith(suffix + each))),
  handles({ operation, subresource, object, oldObject }) {
    if (subresource === "status") return operation === "UPDATE" && Boolean(object && oldObject) && replenishes(oldObject as Frozen<PersistentVolumeClaim>, object as Frozen<PersistentVolumeClaim>);
    return subresource === "" && (operation === "CREATE" || operation === "UPDATE");
  },
  usage(object) {
    const claim = object as Frozen<PersistentVolumeClaim>;
    const storageClass = claim.metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ?? claim.spec?.storageClassName ?? "";
    const usage = new Map<string, Quantity>([["persistentvolumeclaims", countOf(1)], ["count/persistentvolumeclaims", countOf(1)]]);
    if (storageClass) usage.set(`${storageClass}${suffix}persistentvolumeclaims`, countOf(1));
    const storage = requestedStorage(claim);
    if (storage) usage.set("requests.storage", storage);
    if (storage && storageClass) usage.set(`${storageClass}${suffix}requests.storage`, storage);
    return usage;
  },
  matchesScope(selector, object) {
    if (selector.scopeName !== "VolumeAttributesClass") return false;
    const held = attributesClasses(object as Frozen<PersistentVolumeClaim>);
    return held.length === 0 ? matchesValue(selector, undefined) : held.some((name) => matchesValue(selector, name));
  },
  released: (old, current) => replenishes(old as Frozen<PersistentVolumeClaim>, current as Frozen<PersistentVolumeClaim>),
};

/** Of the request and what has been allocated the larger, in whole bytes. */
function requestedStorage({ spec, status }: Frozen<PersistentVolumeClaim>): Quantity | undefined {
  const asked = spec?.resources?.requests?.["storage"];
  if (asked === undefined) return undefined;
  const allocated = status?.allocatedResources?.["storage"];
  const { format } = parseQuantity(asked);
  const larger = allocated !== undefined && compareQuantities(allocated, asked) > 0 ? allocated : asked;
  return { nano: BigInt(value(larger)) * 1_000_000_000n, format };
}

const replenishes = (old: Frozen<PersistentVolumeClaim>, current: Frozen<PersistentVolumeClaim>): boolean =>
  old.status?.allocatedResources?.["storage"] !== current.status?.allocatedResources?.["storage"] || !Bun.deepEquals(attributesClasses(old), attributesClasses(current));

const attributesClasses = ({ spec, status }: Frozen<PersistentVolumeClaim>): string[] =>
  [...new Set([spec?.volumeAttributesClassName, status?.currentVolumeAttributesClassName, status?.modifyVolumeStatus?.targetVolumeAttributesClassName])].filter((name): name is string => Boolean(name)).sort();
