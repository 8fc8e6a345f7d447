import type { Frozen } from "../../../apimachinery/meta.ts";
import type { Service } from "../../../apis/generated/core/v1.ts";
import { defineAdmission } from "../admission.ts";
import { refuse } from "../refuse.ts";

/** Services get no external addresses that they don't have: whoever sets one takes its traffic. Runs only where it is asked for. */
export const denyServiceExternalIPs = defineAdmission({
  name: "DenyServiceExternalIPs",
  operations: ["CREATE", "UPDATE"],
  resources: ["services"],
  validate(attributes) {
    const held = (attributes.oldObject as Frozen<Service> | undefined)?.spec?.externalIPs ?? [];
    if ((attributes.object as Service).spec?.externalIPs?.some((ip) => !held.includes(ip))) throw refuse(attributes, "Use of external IPs is denied by admission control");
  },
});
