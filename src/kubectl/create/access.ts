import { KubectlError } from "../errors.ts";
import { list, text } from "../flags.ts";
import type { Session } from "../session.ts";
import { defineGenerator } from "./generator.ts";

const ruleFlags = {
  verb: list("Verb that applies to the resources contained in the rule"),
  resource: list("Resource that the rule applies to"),
  resourceName: list("Resource in the white list that the rule applies to, repeat this flag for multiple items"),
} as const;

interface Rule { verbs: string[]; apiGroups: string[]; resources: string[]; resourceNames?: string[] }

/** A rule for each API group that the resources are of. */
async function rulesOf({ verb, resource, resourceName }: { verb: string[]; resource: string[]; resourceName: string[] }, { discovery }: Session): Promise<Rule[]> {
  if (verb.length === 0) throw new KubectlError("at least one verb must be specified");
  const rules: Rule[] = [];
  for (const asked of resource) {
    const [type = "", subresource] = asked.split("/");
    const found = type === "*" ? { group: "*", resource: "*" } : await discovery.find(type);
    const written = found.resource + (subresource ? `/${subresource}` : "");
    const same = rules.find(({ apiGroups }) => apiGroups[0] === found.group);
    if (same) same.resources.push(written);
    else rules.push({ verbs: verb.includes("*") ? ["*"] : [...new Set(verb)], apiGroups: [found.group], resources: [written], ...(resourceName.length ? { resourceNames: resourceName } : {}) });
  }
  return rules;
}

export const role = defineGenerator({
  name: "role", usage: "role NAME --verb=verb --resource=resource.group/subresource [--resource-name=resourcename] [flags]", summary: "Create a role with single rule", flags: ruleFlags,
  async make({ name, flags, session }) {
    if (flags.resource.length === 0) throw new KubectlError("at least one resource must be specified");
    return { apiVersion: "rbac.authorization.k8s.io/v1", kind: "Role", metadata: { name }, rules: await rulesOf(flags, session) };
  },
});

export const clusterrole = defineGenerator({
  name: "clusterrole", usage: "clusterrole NAME --verb=verb --resource=resource.group [--resource-name=resourcename] [flags]", summary: "Create a cluster role", flags: { ...ruleFlags, nonResourceUrl: list("A partial url that user should have access to."), aggregationRule: list("An aggregation label selector for combining ClusterRoles.") },
  async make({ name, flags, session }) {
    const object = { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata: { name } };
    if (flags.aggregationRule.length) return { ...object, aggregationRule: { clusterRoleSelectors: [{ matchLabels: Object.fromEntries(flags.aggregationRule.map((pair) => pair.split("=", 2))) as Record<string, string> }] }, rules: [] };
    if (flags.resource.length === 0 && flags.nonResourceUrl.length === 0) throw new KubectlError("one of resource or nonResourceURL must be specified");
    const rules: object[] = await rulesOf(flags, session);
    return { ...object, rules: [...rules, ...(flags.nonResourceUrl.length ? [{ nonResourceURLs: flags.nonResourceUrl, verbs: flags.verb }] : [])] };
  },
});

const subjectFlags = {
  clusterrole: text("ClusterRole this binding should reference"),
  user: list("Usernames to bind to the role."),
  group: list("Groups to bind to the role."),
  serviceaccount: list("Service accounts to bind to the role, in the format <namespace>:<name>."),
} as const;

function subjectsOf({ user, group, serviceaccount }: { user: string[]; group: string[]; serviceaccount: string[] }): object[] {
  const named = (kind: string) => (name: string): object => ({ apiGroup: "rbac.authorization.k8s.io", kind, name });
  return [...user.map(named("User")), ...group.map(named("Group")), ...serviceaccount.map((account) => {
    const [namespace, name, ...more] = account.split(":");
    if (!namespace || !name || more.length) throw new KubectlError(`serviceaccount must be <namespace>:<name>`);
    return { kind: "ServiceAccount", name, namespace };
  })];
}

export const rolebinding = defineGenerator({
  name: "rolebinding", usage: "rolebinding NAME --clusterrole=NAME|--role=NAME [--user=username] [--group=groupname] [--serviceaccount=namespace:serviceaccountname] [flags]", summary: "Create a role binding for a particular role or cluster role", failure: "failed to create rolebinding: ",
  flags: { ...subjectFlags, role: text("Role this RoleBinding should reference") },
  make({ name, flags }) {
    if ((flags.clusterrole === "") === (flags.role === "")) throw new KubectlError("exactly one of clusterrole or role must be specified");
    return { apiVersion: "rbac.authorization.k8s.io/v1", kind: "RoleBinding", metadata: { name }, roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: flags.role ? "Role" : "ClusterRole", name: flags.role || flags.clusterrole }, subjects: subjectsOf(flags) };
  },
});

export const clusterrolebinding = defineGenerator({
  name: "clusterrolebinding", usage: "clusterrolebinding NAME --clusterrole=NAME [--user=username] [--group=groupname] [--serviceaccount=namespace:serviceaccountname] [flags]", summary: "Create a cluster role binding for a particular cluster role", failure: "failed to create clusterrolebinding: ", flags: subjectFlags,
  make({ name, flags }) {
    if (!flags.clusterrole) throw new KubectlError('required flag(s) "clusterrole" not set');
    return { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRoleBinding", metadata: { name }, roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: flags.clusterrole }, subjects: subjectsOf(flags) };
  },
});
