import { forbidden } from "../../../apimachinery/status.ts";
import type { Pod } from "../../../apis/generated/core/v1.ts";
import type { PriorityClass } from "../../../apis/generated/scheduling/v1.ts";
import type { Listers } from "../../listers.ts";
import { defineAdmission, type Admission } from "../admission.ts";

type PreemptionPolicy = "PreemptLowerPriority" | "Never";
interface Resolved {
  name: string;
  value: number;
  policy: PreemptionPolicy;
}

const system: readonly Resolved[] = [
  { name: "system-node-critical", value: 2_000_001_000, policy: "PreemptLowerPriority" },
  { name: "system-cluster-critical", value: 2_000_000_000, policy: "PreemptLowerPriority" },
];

/** Turns a pod's priorityClassName into its priority and preemption policy; clients may not choose the number themselves. */
export function priority({ listers }: { listers: Listers }): Admission {
  const classes = listers<PriorityClass>("scheduling.k8s.io", "priorityclasses");

  function byName(name: string): Resolved | undefined {
    const known = system.find((entry) => entry.name === name);
    if (known) return known;
    const found = classes.get(name);
    return found && { name, value: found.value, policy: found.preemptionPolicy ?? "PreemptLowerPriority" };
  }

  function globalDefault(): Resolved {
    const defaults = classes.list().filter((entry) => entry.globalDefault).sort((a, b) => a.value - b.value);
    const found = defaults[0];
    return found ? { name: found.metadata.name!, value: found.value, policy: found.preemptionPolicy ?? "PreemptLowerPriority" } : { name: "", value: 0, policy: "PreemptLowerPriority" };
  }

  return defineAdmission({
    name: "Priority",
    operations: ["CREATE", "UPDATE"],
    resources: ["pods"],
    admit({ operation, object, oldObject, name }) {
      const { spec } = object as Pod;
      if (!spec) return;
      if (operation === "UPDATE") {
        const old = (oldObject as Pod | undefined)?.spec;
        spec.priority ??= old?.priority;
        spec.preemptionPolicy ??= old?.preemptionPolicy;
        return;
      }
      const pods = { group: "", resource: "pods" };
      const resolved = spec.priorityClassName ? byName(spec.priorityClassName) : globalDefault();
      if (!resolved) throw forbidden(pods, name, `no PriorityClass with name ${spec.priorityClassName} was found`);
      if (spec.priority !== undefined && spec.priority !== resolved.value) {
        throw forbidden(pods, name, `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${resolved.value} from the given PriorityClass name`);
      }
      if (spec.preemptionPolicy && spec.preemptionPolicy !== resolved.policy) {
        throw forbidden(pods, name, `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${resolved.policy} from the given PriorityClass name`);
      }
      if (resolved.name) spec.priorityClassName = resolved.name;
      spec.priority = resolved.value;
      spec.preemptionPolicy = resolved.policy;
    },
  });
}
