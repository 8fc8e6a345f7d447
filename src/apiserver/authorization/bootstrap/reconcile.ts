import { thaw, type Frozen, type KubeObject } from "../../../apimachinery/meta.ts";
import type { ResourceCard } from "../../../apimachinery/resource.ts";
import { isAlreadyExists, isConflict, isNotFound } from "../../../apimachinery/status.ts";
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from "../../../apis/generated/rbac/v1.ts";
import { clusterrolebindings } from "../../../apis/rbac/clusterrolebinding.ts";
import { clusterroles } from "../../../apis/rbac/clusterrole.ts";
import { rolebindings } from "../../../apis/rbac/rolebinding.ts";
import { roles } from "../../../apis/rbac/role.ts";
import type { Client } from "../../../client/client.ts";
import type { BootstrapPolicy } from "./policy.ts";

/**
 * Brings the default roles and bindings up to this version at start: creates what is missing and adds missing rules, subjects and labels.
 * What a user has added stays; an object whose autoupdate annotation is "false" is left alone. The namespaces must exist.
 */
export async function reconcileBootstrapPolicy(client: Client, policy: BootstrapPolicy): Promise<void> {
  for (const role of policy.clusterRoles) await ensure<ClusterRole>(client, clusterroles, role, addRules);
  for (const role of policy.roles) await ensure<Role>(client, roles, role, addRules);
  for (const binding of policy.clusterRoleBindings) await ensure<ClusterRoleBinding>(client, clusterrolebindings, binding, addSubjects);
  for (const binding of policy.roleBindings) await ensure<RoleBinding>(client, rolebindings, binding, addSubjects);
}

async function ensure<T extends KubeObject>(client: Client, card: ResourceCard<T>, wanted: T, amend: (current: T, wanted: T) => void): Promise<void> {
  const key = { namespace: wanted.metadata.namespace, name: wanted.metadata.name! };
  for (;;) {
    try {
      const found = await client.get(card, key).catch((error: unknown) => {
        if (isNotFound(error)) return undefined;
        throw error;
      });
      if (!found) await client.create(card, structuredClone(wanted));
      else await bringUp(client, card, found, wanted, amend);
      return;
    } catch (error) {
      // Another server did the same at the same time: look again.
      if (!isAlreadyExists(error) && !isConflict(error)) throw error;
    }
  }
}

async function bringUp<T extends KubeObject>(client: Client, card: ResourceCard<T>, found: Frozen<T>, wanted: T, amend: (current: T, wanted: T) => void): Promise<void> {
  const current = thaw<T>(found);
  if (current.metadata.annotations?.["rbac.authorization.kubernetes.io/autoupdate"] === "false") return;
  current.metadata.labels = { ...wanted.metadata.labels, ...current.metadata.labels };
  current.metadata.annotations = { ...wanted.metadata.annotations, ...current.metadata.annotations };
  amend(current, wanted);
  if (!Bun.deepEquals(current, found)) await client.update(card, current);
}

function addRules(current: ClusterRole | Role, wanted: ClusterRole | Role): void {
  const held: PolicyRule[] = current.rules ?? [];
  current.rules = [...held, ...wanted.rules.filter((rule) => !held.some((each) => Bun.deepEquals(each, rule)))];
  if ("aggregationRule" in wanted && wanted.aggregationRule) (current as ClusterRole).aggregationRule ??= wanted.aggregationRule;
}

function addSubjects(current: ClusterRoleBinding | RoleBinding, wanted: ClusterRoleBinding | RoleBinding): void {
  const held: Subject[] = current.subjects ?? [];
  const subjects = [...held, ...(wanted.subjects ?? []).filter((subject) => !held.some((each) => each.kind === subject.kind && each.name === subject.name && (each.namespace ?? "") === (subject.namespace ?? "")))];
  if (subjects.length > held.length) current.subjects = subjects;
}
