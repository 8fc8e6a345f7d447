import type { Pod } from "../../../apis/generated/core/v1.ts";
import { defineAdmission } from "../admission.ts";
import { refuse } from "../refuse.ts";

const hostname = "kubernetes.io/hostname";

/** Pods may keep others off their node, not off a whole zone. Runs only where it is asked for. */
export const limitPodHardAntiAffinityTopology = defineAdmission({
  name: "LimitPodHardAntiAffinityTopology",
  operations: ["CREATE", "UPDATE"],
  resources: ["pods"],
  validate(attributes) {
    const wider = (attributes.object as Pod).spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.find(({ topologyKey }) => topologyKey !== hostname);
    if (wider) throw refuse(attributes, `affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey ${wider.topologyKey} but only key ${hostname} is allowed`);
  },
});
