import type { Node } from "../../../apis/generated/core/v1.ts";
import { defineAdmission } from "../admission.ts";

/** A new node takes no pods until the node lifecycle controller has seen it ready. */
export const taintNodesByCondition = defineAdmission({
  name: "TaintNodesByCondition",
  operations: ["CREATE"],
  resources: ["nodes"],
  admit({ object }) {
    const node = object as Node;
    const spec = (node.spec ??= {});
    const taint = { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" as const };
    if (!spec.taints?.some(({ key, effect }) => key === taint.key && effect === taint.effect)) (spec.taints ??= []).push(taint);
  },
});
