import { describe, expect, test } from "bun:test";
import { deployments, namespaces, pods } from "../../../../apis/builtins.ts";
import type { Pod } from "../../../../apis/generated/core/v1.ts";
import { admin } from "../../../testing/fixture.ts";
import { attributesOf, listersOf, run } from "../../../testing/admission.ts";
import { podSecurity, type PodSecurityConfiguration } from "./pod-security.ts";

const good = { allowPrivilegeEscalation: false, runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" }, capabilities: { drop: ["ALL"] } };
const container = (securityContext: object = {}, more: object = {}): object => ({ name: "c", image: "i", securityContext, ...more });
const pod = (spec: object, metadata: object = {}): Pod => ({ metadata: { name: "p", namespace: "ns", ...metadata }, spec: { containers: [container(good)], ...spec } as Pod["spec"] });
const labelsOf = (labels: Record<string, string>): Record<string, string> => Object.fromEntries(Object.entries(labels).map(([key, value]) => [`pod-security.kubernetes.io/${key}`, value]));

async function ask(labels: Record<string, string>, rest: Parameters<typeof attributesOf>[1], { card = pods, existing = [], configuration }: { card?: Parameters<typeof attributesOf>[0]; existing?: Pod[]; configuration?: PodSecurityConfiguration } = {}) {
  const warnings: string[] = [], annotations: Record<string, string> = {};
  const plugin = podSecurity({ listers: listersOf({ namespaces: [{ metadata: { name: "ns", labels: labelsOf(labels) } }], pods: existing }), configuration });
  const refusal = await run(plugin, attributesOf(card, { ...rest, context: { user: admin, warn: (text) => warnings.push(text), annotate: (key, value) => void (annotations[key] = value) } }));
  return { refusal, warnings, annotations };
}

/** The texts are those of kube-apiserver 1.36.3 for the same pods. */
describe("the restricted level", () => {
  test.each([
    ["a pod that keeps to it", {}, ""],
    ["two plain containers", { containers: [{ name: "c", image: "i" }, { name: "d", image: "i" }] }, 'allowPrivilegeEscalation != false (containers "c", "d" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (containers "c", "d" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or containers "c", "d" must set securityContext.runAsNonRoot=true), seccompProfile (pod or containers "c", "d" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'],
    ["volumes", { volumes: [{ name: "a", hostPath: {} }, { name: "b", nfs: {} }, { name: "c", emptyDir: {} }] }, 'restricted volume types (volumes "a", "b" use restricted volume types "hostPath", "nfs")'],
    ["the user root", { securityContext: { runAsUser: 0 }, containers: [container({ ...good, runAsUser: 0 })] }, 'runAsUser=0 (pod and container "c" must not set runAsUser=0)'],
    ["root in a user namespace", { hostUsers: false, securityContext: { runAsUser: 0, runAsNonRoot: false } }, ""],
  ] as const)("%s", async (_, spec, expected) => {
    const { refusal } = await ask({ enforce: "restricted" }, { object: pod(spec) });
    expect(refusal).toBe(expected && `403 pods "p" is forbidden: violates PodSecurity "restricted:latest": ${expected}`);
  });
});

describe("the baseline level", () => {
  test.each([
    ["a plain container", { containers: [{ name: "c", image: "i" }] }, ""],
    ["a privileged one in the host's namespaces", { hostNetwork: true, hostPID: true, containers: [container({ privileged: true })] }, 'host namespaces (hostNetwork=true, hostPID=true), privileged (container "c" must not set securityContext.privileged=true)'],
    ["capabilities", { containers: [container({ capabilities: { add: ["SYS_ADMIN", "CHOWN", "NET_RAW"] } })] }, 'non-default capabilities (container "c" must not include "NET_RAW", "SYS_ADMIN" in securityContext.capabilities.add)'],
    ["host ports", { containers: [container({}, { ports: [{ hostPort: 90 }, { hostPort: 8080 }] })] }, 'hostPort (container "c" uses hostPorts 8080, 90)'],
    ["SELinux options", { securityContext: { seLinuxOptions: { user: "u", type: "spc_t" } }, containers: [container({ seLinuxOptions: { role: "r" } })] }, 'seLinuxOptions (pod and container "c" set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set; role may not be set)'],
    ["a probe of another host", { containers: [container({}, { livenessProbe: { httpGet: { host: "1.2.3.4", port: 80 } } })] }, 'probe or lifecycle host (container "c" uses probe or lifecycle host "1.2.3.4")'],
    ["sysctls", { securityContext: { sysctls: [{ name: "kernel.msgmax", value: "1" }] } }, "forbidden sysctls (kernel.msgmax)"],
  ] as const)("%s", async (_, spec, expected) => {
    const { refusal } = await ask({ enforce: "baseline" }, { object: pod(spec) });
    expect(refusal).toBe(expected && `403 pods "p" is forbidden: violates PodSecurity "baseline:latest": ${expected}`);
  });
});

test("a version has the controls of its time", async () => {
  const probe = pod({ containers: [container({}, { livenessProbe: { httpGet: { host: "h", port: 80 } } })] });
  expect((await ask({ enforce: "baseline", "enforce-version": "v1.33" }, { object: probe })).refusal).toBe("");
  expect((await ask({ enforce: "baseline", "enforce-version": "v1.99" }, { object: probe })).refusal).toContain('violates PodSecurity "baseline:v1.99"');
});

test("warn lets the pod in with a warning; a template is only warned of", async () => {
  const privileged = { containers: [container({ privileged: true })] };
  const text = 'would violate PodSecurity "baseline:latest": privileged (container "c" must not set securityContext.privileged=true)';
  expect(await ask({ warn: "baseline" }, { object: pod(privileged) })).toMatchObject({ refusal: "", warnings: [text] });
  const deployment = { metadata: { name: "d", namespace: "ns" }, spec: { template: { spec: privileged } } };
  expect(await ask({ enforce: "baseline" }, { object: deployment as never }, { card: deployments })).toMatchObject({ refusal: "", warnings: [text] });
});

describe("audit learns", () => {
  const privileged = pod({ containers: [container({ privileged: true })], runtimeClassName: "vm" });
  const text = (level: string) => `would violate PodSecurity "${level}:latest": privileged (container "c" must not set securityContext.privileged=true)`;

  test.each([
    ["what was enforced", { enforce: "baseline" }, pod({}), {}, { "enforce-policy": "baseline:latest" }],
    ["that nothing was", {}, privileged, {}, { "enforce-policy": "privileged:latest" }],
    ["what would be refused", { audit: "baseline" }, privileged, {}, { "enforce-policy": "privileged:latest", "audit-violations": text("baseline") }],
    ["of what is refused as well", { enforce: "baseline", audit: "baseline" }, privileged, {}, { "enforce-policy": "baseline:latest", "audit-violations": text("baseline") }],
    ["which namespace is exempt", { enforce: "baseline" }, privileged, { namespaces: ["ns"] }, { exempt: "namespace" }],
    ["which user", { enforce: "baseline" }, privileged, { usernames: [admin.name] }, { exempt: "user" }],
    ["which runtime class", { enforce: "baseline" }, privileged, { runtimeClasses: ["vm"] }, { exempt: "runtimeClass" }],
    ["of labels that can't be read", { audit: "strict" }, pod({}), {}, { "enforce-policy": "privileged:latest", error: 'Failed to parse policy: metadata.labels[pod-security.kubernetes.io/audit]: Invalid value: "strict": must be one of privileged, baseline, restricted' }],
  ])("%s", async (_, labels, object, exemptions, expected) => {
    expect((await ask(labels as Record<string, string>, { object }, { configuration: { exemptions } })).annotations).toEqual(labelsOf(expected as unknown as Record<string, string>));
  });
});

test("an update matters when images change", async () => {
  const bad = pod({ containers: [container({ privileged: true })] });
  expect((await ask({ enforce: "baseline" }, { operation: "UPDATE", object: bad, oldObject: bad as never })).refusal).toBe("");
  const other = pod({ containers: [container({ privileged: true }, { image: "j" })] });
  expect((await ask({ enforce: "baseline" }, { operation: "UPDATE", object: other, oldObject: bad as never })).refusal).toContain("violates PodSecurity");
});

describe("a namespace", () => {
  const namespace = (labels: Record<string, string>) => ({ metadata: { name: "ns", labels: labelsOf(labels) } });

  test("with labels that can't be read is refused", async () => {
    const { refusal } = await ask({}, { object: namespace({ enforce: "strict", "warn-version": "2" }) }, { card: namespaces });
    expect(refusal).toBe('422 Namespace "ns" is invalid: [metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted, metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: "2": must be "latest" or "v1.x"]');
  });

  test("that becomes stricter tells of pods that are there, one of each controller first", async () => {
    const owned = (name: string) => pod({ hostPID: true }, { name, ownerReferences: [{ controller: true, uid: "u", apiVersion: "apps/v1", kind: "ReplicaSet", name: "r" }] });
    const { warnings } = await ask({}, { operation: "UPDATE", object: namespace({ enforce: "baseline" }), oldObject: namespace({}) as never }, { card: namespaces, existing: [owned("b"), owned("a"), owned("c"), pod({ hostIPC: true, hostPID: true, containers: [container({ privileged: true })] }, { name: "x" }), pod({})] });
    expect(warnings).toEqual(['existing pods in namespace "ns" violate the new PodSecurity enforce level "baseline:latest"', "a (and 2 other pods): host namespaces", "x: host namespaces, privileged"]);
  });

  test("that is exempt is told that its policy means nothing", async () => {
    const configuration = { exemptions: { namespaces: ["ns"] } };
    const { warnings } = await ask({}, { object: namespace({ enforce: "baseline", warn: "restricted" }) }, { card: namespaces, configuration });
    expect(warnings).toEqual(['namespace "ns" is exempt from Pod Security, and the policy (enforce=baseline:latest, warn=restricted:latest) will be ignored']);
    expect((await ask({ enforce: "baseline" }, { object: pod({ hostPID: true }) }, { configuration })).refusal).toBe("");
  });
});
