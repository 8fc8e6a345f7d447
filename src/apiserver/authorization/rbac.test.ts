import { describe, expect, test } from "bun:test";
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject } from "../../apis/generated/rbac/v1.ts";
import type { ResourceAttributes } from "../../registry/attributes.ts";
import { fakeInformer } from "../../../test/support/fake-informer.ts";
import { rbacAuthorizer } from "./rbac.ts";
import { ruleAllows, ruleAllowsPath } from "./rbac-rules.ts";

const asks = (text: string, over: Partial<ResourceAttributes> = {}): ResourceAttributes => {
  const [verb = "", path = "", namespace = "", name = ""] = text.split(" ");
  const [resource = "", subresource = ""] = path.split("/");
  return { user: { name: "ann", groups: ["dev"] }, verb, group: "", version: "v1", resource, subresource, namespace, name, ...over };
};

describe("a rule", () => {
  const rule = (over: Partial<PolicyRule>): PolicyRule => ({ verbs: ["get"], apiGroups: [""], resources: ["pods"], ...over });
  test.each<[string, PolicyRule, string, boolean]>([
    ["its verb", rule({}), "get pods", true],
    ["another verb", rule({}), "list pods", false],
    ["any verb", rule({ verbs: ["*"] }), "escalate pods", true],
    ["not its subresources", rule({}), "get pods/log", false],
    ["a subresource", rule({ resources: ["pods/log"] }), "get pods/log", true],
    ["not the resource of a subresource", rule({ resources: ["pods/log"] }), "get pods", false],
    ["any resource with its subresources", rule({ resources: ["*"] }), "get pods/log", true],
    ["a subresource of anything", rule({ resources: ["*/scale"] }), "get deployments/scale", true],
    ["not another subresource of anything", rule({ resources: ["*/scale"] }), "get deployments/status", false],
    ["not `pods/*`, which means nothing", rule({ resources: ["pods/*"] }), "get pods/log", false],
    ["another group", rule({ apiGroups: ["apps"] }), "get pods", false],
    ["a name", rule({ resourceNames: ["a"] }), "get pods ns a", true],
    ["another name", rule({ resourceNames: ["a"] }), "get pods ns b", false],
    ["no name where one is needed", rule({ resourceNames: ["a"] }), "get pods ns", false],
    ["not a path's", { verbs: ["get"], nonResourceURLs: ["*"] }, "get pods", false],
  ])("allows %s", (_, given, text, allowed) => {
    expect(ruleAllows(given, asks(text))).toBe(allowed);
  });

  test.each([["/healthz", "/healthz", true], ["/healthz", "/healthz/etcd", false], ["/healthz/*", "/healthz/etcd", true], ["/api*", "/apis", true], ["*", "/x", true]])("for %s allows %s: %p", (url, path, allowed) => {
    expect(ruleAllowsPath({ verbs: ["get"], nonResourceURLs: [url] }, { user: { name: "", groups: [] }, verb: "get", path })).toBe(allowed);
  });
});

function setUp() {
  const informers = { roles: fakeInformer<Role>(), clusterRoles: fakeInformer<ClusterRole>(), roleBindings: fakeInformer<RoleBinding>(), clusterRoleBindings: fakeInformer<ClusterRoleBinding>() };
  const getPods: PolicyRule[] = [{ verbs: ["get"], apiGroups: [""], resources: ["pods"] }];
  informers.clusterRoles.put({ metadata: { name: "reader" }, rules: getPods });
  informers.roles.put({ metadata: { name: "reader", namespace: "a" }, rules: getPods });
  const authorizer = rbacAuthorizer(informers);
  const roleRef = (kind: string, name = "reader") => ({ apiGroup: "rbac.authorization.k8s.io", kind, name });
  return {
    ...informers, authorizer,
    bind: (namespace: string, kind: string, subjects: Subject[], role?: string) => informers.roleBindings.put({ metadata: { name: "b", namespace, uid: `b-${namespace}` }, roleRef: roleRef(kind, role), subjects }),
    bindAll: (...subjects: Subject[]) => informers.clusterRoleBindings.put({ metadata: { name: "b", uid: "all" }, roleRef: roleRef("ClusterRole"), subjects }),
    may: (text: string, over?: Partial<ResourceAttributes>) => authorizer.authorize(asks(text, over)).allowed,
  };
}
const ann: Subject = { kind: "User", apiGroup: "rbac.authorization.k8s.io", name: "ann" };

describe("bindings", () => {
  test("in a namespace hold there alone", () => {
    const { bind, may } = setUp();
    bind("a", "Role", [ann]);
    expect([may("get pods a"), may("get pods b"), may("get pods"), may("get pods a", { user: { name: "bob", groups: [] } })]).toEqual([true, false, false, false]);
  });

  test("of a ClusterRole in a namespace, to a group", () => {
    const { bind, may } = setUp();
    bind("b", "ClusterRole", [{ kind: "Group", name: "dev" }]);
    expect([may("get pods b"), may("get pods a")]).toEqual([true, false]);
  });

  test("of the cluster hold everywhere, and end when changed or deleted", () => {
    const { bindAll, clusterRoleBindings, may } = setUp();
    bindAll(ann);
    expect([may("get pods b"), may("get pods")]).toEqual([true, true]);
    bindAll({ ...ann, name: "bob" });
    expect(may("get pods b")).toBe(false);
    bindAll(ann);
    clusterRoleBindings.remove("b");
    expect(may("get pods b")).toBe(false);
  });

  test("to a service account mean its user, by default in the binding's namespace", () => {
    const { bind, may } = setUp();
    bind("a", "Role", [{ kind: "ServiceAccount", name: "sa" }]);
    expect(may("get pods a", { user: { name: "system:serviceaccount:a:sa", groups: [] } })).toBe(true);
    expect(may("get pods a", { user: { name: "system:serviceaccount:b:sa", groups: [] } })).toBe(false);
    expect(may("get pods a", { user: { name: "sa", groups: [] } })).toBe(false);
  });

  test("to a role that is missing are named in the reason", () => {
    const { bind, authorizer } = setUp();
    bind("a", "ClusterRole", [ann], "gone");
    expect(authorizer.authorize(asks("get pods a"))).toEqual({ allowed: false, reason: 'RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found' });
  });

  test("a role's change counts at once", () => {
    const { bindAll, clusterRoles, may, authorizer } = setUp();
    bindAll(ann);
    clusterRoles.put({ metadata: { name: "reader" }, rules: [{ verbs: ["get"], nonResourceURLs: ["/x"] }] });
    expect([may("get pods a"), authorizer.authorizePath({ user: { name: "ann", groups: [] }, verb: "get", path: "/x" }).allowed]).toEqual([false, true]);
    expect(authorizer.rulesFor({ name: "ann", groups: [] }, "a").rules).toEqual([{ verbs: ["get"], nonResourceURLs: ["/x"] }]);
  });
});
