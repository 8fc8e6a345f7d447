import type { Pod, Toleration } from "../../../apis/generated/core/v1.ts";
import { defineAdmission } from "../admission.ts";

const notReady = "node.kubernetes.io/not-ready";
const unreachable = "node.kubernetes.io/unreachable";

/** Pods stay five minutes on a node that is not ready or unreachable, unless they say otherwise. */
export const defaultTolerationSeconds = defineAdmission({
  name: "DefaultTolerationSeconds",
  operations: ["CREATE", "UPDATE"],
  resources: ["pods"],
  admit({ object }) {
    const { spec } = object as Pod;
    if (!spec) return;
    for (const key of [notReady, unreachable]) {
      if (!(spec.tolerations ?? []).some((toleration) => covers(toleration, key))) {
        (spec.tolerations ??= []).push({ key, operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 });
      }
    }
  },
});

const covers = (toleration: Toleration, key: string): boolean =>
  (toleration.key === key || !toleration.key) && (toleration.effect === "NoExecute" || !toleration.effect);
