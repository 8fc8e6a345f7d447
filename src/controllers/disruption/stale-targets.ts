import { keyOf, thaw } from "../../apimachinery/meta.ts";
import { formatTime } from "../../apimachinery/time.ts";
import { pods } from "../../apis/builtins.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf } from "../../client/controller.ts";
import { sparedAt } from "./plan.ts";

/** Takes the mark off pods that were to be disrupted and have been spared for two minutes. Source: syncStalePodDisruption of k8s.io/kubernetes/pkg/controller/disruption. */
export const staleDisruptionTargets = defineController<Pod>({
  name: "stale-disruption-target-controller",
  watches: [watchOf(pods, (current) => (current && sparedAt(current) !== undefined ? [keyOf(current)] : []))],
  writes: [{ apiGroups: [""], resources: ["pods/status"], verbs: ["update"] }],
  async reconcile(key, { client, lister, now }) {
    const pod = lister(pods).get(key), at = pod && sparedAt(pod);
    if (at === undefined) return undefined;
    if (at > now()) return { requeueAt: at };
    const copy = thaw<Pod>(pod!), { generation } = copy.metadata;
    copy.status!.conditions = copy.status!.conditions!.map((condition) =>
      (condition.type === "DisruptionTarget" ? { type: condition.type, status: "False", lastTransitionTime: formatTime(now()), ...(generation ? { observedGeneration: generation } : {}) } : condition));
    await client.update(pods, copy, { subresource: "status" });
    return undefined;
  },
});
