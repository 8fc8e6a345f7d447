import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from "../../../apis/generated/rbac/v1.ts";
import { componentRoles } from "./component-roles.ts";
import { bootstrapMetadata, clusterRole, clusterRoleBinding, eventsRule, group, rbacGroup, read, rule, serviceAccount, user } from "./rule.ts";
import { userRoles } from "./user-roles.ts";

/** What one of our controllers writes and reads; it runs as the service account of its name in kube-system. */
export interface ControllerRole {
  name: string;
  rules: readonly PolicyRule[];
}

export interface BootstrapPolicy {
  clusterRoles: readonly ClusterRole[];
  clusterRoleBindings: readonly ClusterRoleBinding[];
  roles: readonly Role[];
  roleBindings: readonly RoleBinding[];
}

const authenticated = group("system:authenticated"), unauthenticated = group("system:unauthenticated");

/** Kubernetes' default roles and bindings, with a role for each controller: `system:controller:<name>`. */
export function bootstrapPolicy(controllers: readonly ControllerRole[] = []): BootstrapPolicy {
  return {
    clusterRoles: [...userRoles, ...componentRoles, ...controllers.map(({ name, rules }) => clusterRole(`system:controller:${name}`, [...rules, eventsRule]))],
    clusterRoleBindings: [
      clusterRoleBinding("cluster-admin", "cluster-admin", group("system:masters")),
      clusterRoleBinding("system:monitoring", "system:monitoring", group("system:monitoring")),
      clusterRoleBinding("system:discovery", "system:discovery", authenticated),
      clusterRoleBinding("system:basic-user", "system:basic-user", authenticated),
      clusterRoleBinding("system:public-info-viewer", "system:public-info-viewer", authenticated, unauthenticated),
      clusterRoleBinding("system:node-proxier", "system:node-proxier", user("system:kube-proxy")),
      clusterRoleBinding("system:skiff-network", "system:skiff-network", group("system:skiff-networks")),
      clusterRoleBinding("system:kube-controller-manager", "system:kube-controller-manager", user("system:kube-controller-manager")),
      clusterRoleBinding("system:kube-dns", "system:kube-dns", serviceAccount("kube-dns")),
      clusterRoleBinding("system:kube-scheduler", "system:kube-scheduler", user("system:kube-scheduler")),
      clusterRoleBinding("system:volume-scheduler", "system:volume-scheduler", user("system:kube-scheduler")),
      clusterRoleBinding("system:service-account-issuer-discovery", "system:service-account-issuer-discovery", group("system:serviceaccounts")),
      // Nodes get their rights from the Node authorizer; the binding is there for tools that look for it.
      clusterRoleBinding("system:node", "system:node"),
      ...controllers.map(({ name }) => clusterRoleBinding(`system:controller:${name}`, `system:controller:${name}`, serviceAccount(name))),
    ],
    ...namespacedPolicy,
  };
}

const role = (namespace: string, name: string, rules: PolicyRule[]): Role => ({ apiVersion: `${rbacGroup}/v1`, kind: "Role", metadata: bootstrapMetadata(name, {}, namespace), rules });
const roleBinding = (namespace: string, name: string, roleName: string, ...subjects: Subject[]): RoleBinding => ({
  apiVersion: `${rbacGroup}/v1`, kind: "RoleBinding", metadata: bootstrapMetadata(name, {}, namespace), subjects, roleRef: { apiGroup: rbacGroup, kind: "Role", name: roleName },
});

const leaderLocking = (component: string): Role =>
  role("kube-system", `system::leader-locking-${component}`, ["leases", "leasecandidates"].map((resource) => rule(["create", "get", "list", "update", "watch"], "coordination.k8s.io", [resource])));

const namespacedPolicy: Pick<BootstrapPolicy, "roles" | "roleBindings"> = {
  roles: [
    role("kube-system", "extension-apiserver-authentication-reader", [rule(read, "", ["configmaps"], ["extension-apiserver-authentication"])]),
    role("kube-system", "system:skiff-network", [rule(read, "", ["configmaps"], ["skiff-dns"])]),
    role("kube-system", "system:controller:bootstrap-signer", [rule(read, "", ["secrets"])]),
    role("kube-system", "system:controller:cloud-provider", [rule(["create", "get", "list", "watch"], "", ["configmaps"])]),
    role("kube-system", "system:controller:token-cleaner", [rule(["delete", "get", "list", "watch"], "", ["secrets"]), eventsRule]),
    leaderLocking("kube-controller-manager"),
    leaderLocking("kube-scheduler"),
    role("kube-public", "system:controller:bootstrap-signer", [rule(read, "", ["configmaps"]), rule(["update"], "", ["configmaps"], ["cluster-info"]), eventsRule]),
  ],
  roleBindings: [
    roleBinding("kube-system", "system::extension-apiserver-authentication-reader", "extension-apiserver-authentication-reader", user("system:kube-controller-manager"), user("system:kube-scheduler")),
    roleBinding("kube-system", "system:controller:bootstrap-signer", "system:controller:bootstrap-signer", serviceAccount("bootstrap-signer")),
    roleBinding("kube-system", "system:controller:cloud-provider", "system:controller:cloud-provider", serviceAccount("cloud-provider")),
    roleBinding("kube-system", "system:controller:token-cleaner", "system:controller:token-cleaner", serviceAccount("token-cleaner")),
    roleBinding("kube-system", "system::leader-locking-kube-controller-manager", "system::leader-locking-kube-controller-manager", user("system:kube-controller-manager"), serviceAccount("kube-controller-manager"), serviceAccount("leader-election-controller")),
    roleBinding("kube-system", "system::leader-locking-kube-scheduler", "system::leader-locking-kube-scheduler", user("system:kube-scheduler"), serviceAccount("kube-scheduler")),
    roleBinding("kube-system", "system:skiff-network", "system:skiff-network", group("system:skiff-networks")),
    roleBinding("kube-public", "system:controller:bootstrap-signer", "system:controller:bootstrap-signer", serviceAccount("bootstrap-signer")),
  ],
};
