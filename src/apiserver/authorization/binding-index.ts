import type { Frozen } from "../../apimachinery/meta.ts";
import type { RoleRef, Subject } from "../../apis/generated/rbac/v1.ts";
import type { Informer } from "../../client/informer.ts";
import type { UserInfo } from "../../registry/attributes.ts";
import type { ClusterRoleBinding, RoleBinding } from "../../apis/generated/rbac/v1.ts";

export interface BindingIndex {
  /** What binds this user in all namespaces, and in `namespace` unless that is empty. */
  roleRefs(user: UserInfo, namespace: string): Iterable<Bound>;
}

export interface Bound {
  /** Empty for a ClusterRoleBinding. */
  namespace: string;
  roleRef: Frozen<RoleRef>;
}

type Binding = Frozen<ClusterRoleBinding | RoleBinding>;

const accountPrefix = "system:serviceaccount:";

/** Bindings by their subjects, kept up with each change: a decision looks at the user's own bindings alone. */
export function bindingIndex({ roleBindings, clusterRoleBindings }: { roleBindings: Informer<RoleBinding>; clusterRoleBindings: Informer<ClusterRoleBinding> }): BindingIndex {
  // By namespace (empty for the cluster) and subject, such as `User:alice`.
  const bySubject = new Map<string, Map<string, Set<Binding>>>();

  function change(old: Binding | undefined, current: Binding | undefined): void {
    if (old) for (const key of keysOf(old)) remove(old.metadata.namespace ?? "", key, old);
    if (current) for (const key of keysOf(current)) add(current.metadata.namespace ?? "", key, current);
  }

  function add(namespace: string, key: string, binding: Binding): void {
    let subjects = bySubject.get(namespace);
    if (!subjects) bySubject.set(namespace, subjects = new Map());
    let bindings = subjects.get(key);
    if (!bindings) subjects.set(key, bindings = new Set());
    bindings.add(binding);
  }

  function remove(namespace: string, key: string, old: Binding): void {
    const subjects = bySubject.get(namespace);
    const bindings = subjects?.get(key);
    for (const binding of bindings ?? []) if (binding.metadata.uid === old.metadata.uid) bindings!.delete(binding);
    if (bindings?.size === 0) subjects!.delete(key);
    if (subjects?.size === 0) bySubject.delete(namespace);
  }

  roleBindings.onChange(change);
  clusterRoleBindings.onChange(change);

  return {
    *roleRefs(user, namespace) {
      for (const scope of namespace ? ["", namespace] : [""]) {
        const subjects = bySubject.get(scope);
        if (!subjects) continue;
        for (const key of keysOfUser(user)) for (const { roleRef } of subjects.get(key) ?? []) yield { namespace: scope, roleRef };
      }
    },
  };
}

function* keysOfUser(user: UserInfo): Iterable<string> {
  yield `User:${user.name}`;
  for (const group of user.groups) yield `Group:${group}`;
}

const keysOf = ({ subjects = [], metadata }: Binding): string[] => subjects.map((subject) => keyOfSubject(subject, metadata.namespace ?? ""));

/** A service account is the user of that name. */
function keyOfSubject({ kind, name, namespace }: Frozen<Subject>, ownNamespace: string): string {
  return kind === "ServiceAccount" ? `User:${accountPrefix}${namespace || ownNamespace}:${name}` : `${kind}:${name}`;
}
