import type { AnyResource } from "../../../apimachinery/resource.ts";
import type { Frozen, KubeObject } from "../../../apimachinery/meta.ts";
import type { OwnerReference } from "../../../apis/generated/meta/v1.ts";
import type { Authorizer, ResourceAttributes } from "../../attributes.ts";
import { defineAdmission, type Admission } from "../admission.ts";
import { refuse } from "../refuse.ts";

/**
 * Who changes owners must be allowed to delete the object; who makes it block its owner's deletion, to set the owner's finalizers.
 * Runs only where it is asked for. Source: kubernetes plugin/pkg/admission/gc.
 */
export function ownerReferencesPermissionEnforcement({ authorizer, cards }: { authorizer: Authorizer; cards(): readonly AnyResource[] }): Admission {
  return defineAdmission({
    name: "OwnerReferencesPermissionEnforcement",
    operations: ["CREATE", "UPDATE"],
    resources: ["*"],
    validate(attributes) {
      const { context: { user }, card: { group, version, resource }, subresource, namespace, name, operation, object, oldObject } = attributes;
      // The status of a pod keeps its owners whatever is sent.
      if (group === "" && resource === "pods" && subresource === "status") return;
      const refs = ownersOf(object), before = ownersOf(oldObject);
      if (Bun.deepEquals(refs, before)) return;
      if (operation !== "CREATE") {
        const { allowed, reason } = authorizer.authorize({ user, verb: "delete", group, version, resource, subresource, namespace, name });
        if (!allowed) throw refuse(attributes, `cannot set an ownerRef on a resource you can't delete: ${reason}, <nil>`);
      }
      const finalize = (of: Pick<ResourceAttributes, "group" | "version" | "resource" | "namespace" | "name">) => authorizer.authorize({ user, verb: "update", subresource: "finalizers", ...of });
      const blocking = refs.filter((ref) => ref.blockOwnerDeletion && !before.find(({ uid }) => uid === ref.uid)?.blockOwnerDeletion);
      if (blocking.length === 0 || finalize({ group: "*", version: "*", resource: "*", namespace: "", name: "*" }).allowed) return;
      for (const { apiVersion, kind, name: owner } of blocking) {
        const owners = cards().filter((card) => card.kind === kind && (card.group ? `${card.group}/${card.version}` : card.version) === apiVersion);
        if (owners.length === 0) {
          const [version, group = ""] = apiVersion.split("/").reverse();
          throw refuse(attributes, `cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion ${apiVersion} Kind ${kind}: no matches for kind ${JSON.stringify(kind)} in version ${JSON.stringify(group ? `${group}/${version}` : version)}`);
        }
        for (const card of owners) {
          const { allowed, reason } = finalize({ group: card.group, version: card.version, resource: card.resource, namespace: card.scope === "Namespaced" ? namespace : "", name: owner });
          if (!allowed) throw refuse(attributes, `cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: ${reason}, <nil>`);
        }
      }
    },
  });
}

const ownersOf = (object: Frozen<KubeObject> | undefined): readonly Frozen<OwnerReference>[] => object?.metadata?.ownerReferences ?? [];
