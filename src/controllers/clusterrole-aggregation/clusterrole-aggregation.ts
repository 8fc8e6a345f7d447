import { apiVersionOf } from "../../apimachinery/resource.ts";
import { clusterroles } from "../../apis/builtins.ts";
import { defineController, watchOf } from "../../client/controller.ts";
import { aggregatedRules } from "./plan.ts";

/** Fills in the rules of cluster roles that gather those of others, such as admin, edit and view. */
export const clusterRoleAggregation = defineController({
  name: "clusterrole-aggregation-controller",
  watches: [watchOf(clusterroles, (_current, _old, { lister }) => lister(clusterroles).list().filter((role) => role.aggregationRule).map((role) => role.metadata.name!))],
  writes: [{ apiGroups: ["rbac.authorization.k8s.io"], resources: ["clusterroles"], verbs: ["escalate", "get", "patch", "update"] }],
  async reconcile(name, { client, lister }) {
    const role = lister(clusterroles).get(name);
    if (!role?.aggregationRule) return;
    const rules = aggregatedRules(role, lister(clusterroles).list());
    if (Bun.deepEquals(role.rules ?? [], rules)) return;
    const body = { apiVersion: apiVersionOf(clusterroles), kind: clusterroles.kind, metadata: { name }, rules };
    await client.patch(clusterroles, { name }, { type: "application/apply-patch+yaml", body, force: true }, { fieldManager: "clusterrole-aggregation-controller" });
  },
});
