import { describe, expect, test } from "bun:test";
import { requestInfo } from "../request-info.ts";
import { checkPolicy, evaluate, type AuditPolicy } from "./policy.ts";

const policy = (...rules: object[]): AuditPolicy => checkPolicy({ apiVersion: "audit.k8s.io/v1", kind: "Policy", rules });
const ask = (checked: AuditPolicy, method: string, path: string, user = { name: "alice", groups: ["dev"] }) => {
  const url = new URL(path, "http://x");
  return evaluate(checked, user, requestInfo(method, url.pathname, url.searchParams)).level;
};

describe("the first rule that matches counts", () => {
  test.each([
    [{ users: ["alice"] }, "GET", "/api/v1/pods", true], [{ users: ["bob"] }, "GET", "/api/v1/pods", false],
    [{ userGroups: ["dev", "ops"] }, "GET", "/healthz", true], [{ userGroups: ["ops"] }, "GET", "/healthz", false],
    [{ verbs: ["watch"] }, "GET", "/api/v1/pods?watch=1", true], [{ verbs: ["list"] }, "GET", "/api/v1/pods?watch=1", false],
    [{ namespaces: ["a"] }, "GET", "/api/v1/namespaces/a/pods", true], [{ namespaces: ["a"] }, "GET", "/api/v1/namespaces/b/pods", false], [{ namespaces: [""] }, "GET", "/api/v1/nodes", true],
    [{ resources: [{ group: "" }] }, "GET", "/api/v1/pods", true], [{ resources: [{ group: "apps" }] }, "GET", "/api/v1/pods", false], [{ resources: [{ group: "*" }] }, "GET", "/apis/apps/v1/deployments", true],
    [{ resources: [{ group: "", resources: ["pods"] }] }, "GET", "/api/v1/namespaces/a/pods/p/log", false], [{ resources: [{ group: "", resources: ["pods/log"] }] }, "GET", "/api/v1/namespaces/a/pods/p/log", true],
    [{ resources: [{ group: "", resources: ["pods/*"] }] }, "GET", "/api/v1/namespaces/a/pods/p", true], [{ resources: [{ group: "", resources: ["*/log"] }] }, "GET", "/api/v1/namespaces/a/pods/p/log", true],
    [{ resources: [{ group: "", resources: ["pods"], resourceNames: ["p"] }] }, "GET", "/api/v1/namespaces/a/pods/q", false],
    [{ resources: [{ group: "" }] }, "GET", "/healthz", false],
    [{ nonResourceURLs: ["/healthz*"] }, "GET", "/healthz/ping", true], [{ nonResourceURLs: ["/version"] }, "GET", "/healthz", false], [{ nonResourceURLs: ["*"] }, "GET", "/api/v1/pods", false],
  ] as [object, string, string, boolean][])("%j on %s %s: %p", (rule, method, path, matched) => {
    expect(ask(policy({ level: "Request", ...rule }), method, path)).toBe(matched ? "Request" : "None");
    expect(ask(policy({ level: "None", ...rule }, { level: "Metadata" }), method, path)).toBe(matched ? "None" : "Metadata");
  });
});

test("stages are left out by the policy and by the rule", () => {
  const checked = checkPolicy({ apiVersion: "audit.k8s.io/v1", kind: "Policy", omitStages: ["RequestReceived"], omitManagedFields: true, rules: [{ level: "Metadata", omitStages: ["ResponseStarted"], omitManagedFields: false }] });
  expect(evaluate(checked, { name: "", groups: [] }, requestInfo("GET", "/", new URLSearchParams()))).toEqual({ level: "Metadata", omitStages: new Set(["RequestReceived", "ResponseStarted"]), omitManagedFields: false });
});

test.each([
  [null, 'apiVersion "audit.k8s.io/v1"'], [{ apiVersion: "audit.k8s.io/v1", kind: "Policy" }, "rules must not be empty"],
  [{ apiVersion: "audit.k8s.io/v1", kind: "Policy", rules: [{ level: "All" }] }, "rules[0].level must be one of None, Metadata, Request, RequestResponse"],
  [{ apiVersion: "audit.k8s.io/v1", kind: "Policy", rules: [{ level: "None", users: "x" }] }, "rules[0].users must be a list of strings"],
  [{ apiVersion: "audit.k8s.io/v1", kind: "Policy", rules: [{ level: "None", omitStages: ["x"] }] }, "rules[0].omitStages"],
  [{ apiVersion: "audit.k8s.io/v1", kind: "Policy", rules: [{ level: "None", nonResourceURLs: ["/"], namespaces: ["a"] }] }, "may not name nonResourceURLs"],
])("a policy %j is refused", (value, words) => {
  expect(() => checkPolicy(value)).toThrow(words);
});
