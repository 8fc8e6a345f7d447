import type { Pod } from "../../../apis/generated/core/v1.ts";
import { defineAdmission } from "../admission.ts";

/** Pods that ask for a device tolerate nodes that are kept for pods with it: tainted by the resource's name. Runs only where it is asked for. */
export const extendedResourceToleration = defineAdmission({
  name: "ExtendedResourceToleration",
  operations: ["CREATE", "UPDATE"],
  resources: ["pods"],
  admit({ object }) {
    const { spec } = object as Pod;
    const asked = new Set([...spec.containers, ...spec.initContainers ?? []].flatMap(({ resources }) => Object.keys(resources?.requests ?? {})).filter(isExtended));
    for (const key of [...asked].sort()) {
      const tolerations = (spec.tolerations ??= []);
      if (!tolerations.some((each) => each.key === key && each.operator === "Exists" && each.effect === "NoSchedule" && each.tolerationSeconds === undefined)) tolerations.push({ key, operator: "Exists", effect: "NoSchedule" });
    }
  },
});

/** A resource of nobody's but its vendor's. */
const isExtended = (name: string): boolean => name.includes("/") && !/^(?:[^/]*\.)?kubernetes\.io\//.test(name) && !name.startsWith("requests.");
