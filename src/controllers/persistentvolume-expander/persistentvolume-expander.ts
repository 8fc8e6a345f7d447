import { keyOf, type Frozen } from "../../apimachinery/meta.ts";
import { compareQuantities, type QuantityLike } from "../../apimachinery/quantity.ts";
import { persistentvolumeclaims, persistentvolumes } from "../../apis/builtins.ts";
import { requestOf } from "../../apis/core/volume/binding.ts";
import { isMadeLocally } from "../../apis/core/volume/local-path.ts";
import type { PersistentVolumeClaim } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf } from "../../client/controller.ts";

type Claim = Frozen<PersistentVolumeClaim>;

const sizeOf = ({ status }: Claim): QuantityLike => status?.capacity?.["storage"] ?? "0";

/**
 * Says of a claim that asks for more than its volume has that somebody else, the driver's resizer, has to grow it: no volume is grown by
 * Kubernetes itself any more. Volumes of ours are grown by their provisioner. Source: k8s.io/kubernetes/pkg/controller/volume/expand.
 */
export const persistentVolumeExpander = defineController<PersistentVolumeClaim>({
  name: "expand-controller", eventSource: "volume_expand", reads: [persistentvolumes], writes: [],
  watches: [
    watchOf(persistentvolumeclaims, (claim, old) => {
      if (claim?.status?.phase !== "Bound") return [];
      const grew = !old || compareQuantities(requestOf(claim), requestOf(old)) > 0 || compareQuantities(sizeOf(claim), sizeOf(old)) > 0;
      return grew ? [keyOf(claim)] : [];
    }),
  ],
  async reconcile(key, { lister, recorder }) {
    const claim = lister(persistentvolumeclaims).get(key);
    const volume = claim && lister(persistentvolumes).get(claim.spec?.volumeName ?? "");
    if (!volume || volume.spec?.claimRef?.uid !== claim.metadata.uid || isMadeLocally(volume)) return;
    const resizing = volume.metadata.annotations?.["volume.alpha.kubernetes.io/pre-resize-capacity"] !== undefined;
    if (!resizing && compareQuantities(requestOf(claim), sizeOf(claim)) <= 0) return;
    recorder.event(claim, "Normal", "ExternalExpanding", "waiting for an external controller to expand this PVC");
  },
});
