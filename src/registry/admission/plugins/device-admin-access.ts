import { forbiddenField } from "../../../apimachinery/field-errors.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import { invalid } from "../../../apimachinery/status.ts";
import type { Namespace } from "../../../apis/generated/core/v1.ts";
import type { DeviceClaim, ResourceClaim, ResourceClaimTemplate } from "../../../apis/generated/resource/v1.ts";
import type { Listers } from "../../listers.ts";
import { defineAdmission, type Admission } from "../admission.ts";

const label = "resource.kubernetes.io/admin-access";

/** Access to devices that others use is for namespaces that say so. Kubernetes has it in the strategies (pkg/registry/resource). */
export function deviceAdminAccess({ listers }: { listers: Listers }): Admission {
  const namespaces = listers<Namespace>("", "namespaces");
  return defineAdmission({
    name: "DeviceAdminAccess",
    operations: ["CREATE"],
    resources: ["resourceclaims.resource.k8s.io", "resourceclaimtemplates.resource.k8s.io"],
    validate({ card, namespace, name, object }) {
      const { requests } = claimOf(object as Frozen<ResourceClaim | ResourceClaimTemplate>);
      const asking = (requests ?? []).findIndex(({ exactly }) => exactly?.adminAccess);
      if (asking < 0 || namespaces.get(namespace)?.metadata.labels?.[label] === "true") return;
      throw invalid(card, name, [forbiddenField(`spec.devices.requests[${asking}].adminAccess`, `admin access to devices requires the \`${label}: true\` label on the containing namespace`)]);
    },
  });
}

const claimOf = ({ spec }: Frozen<ResourceClaim | ResourceClaimTemplate>): Partial<Frozen<DeviceClaim>> => ("spec" in spec ? spec.spec.devices : spec.devices) ?? {};
