import { expect, test } from "bun:test";
import type { Container, PodSpec } from "../../../src/apis/generated/core/v1.ts";
import { NamespaceMode, ProfileType } from "../../cri/generated/messages.ts";
import type { Pod } from "../pod/pod.ts";
import { containerSecurityContext, namespaceOptions, nonRootViolation, sandboxSecurityContext, type ImageUser } from "./security-context.ts";

const podOf = (securityContext: Container["securityContext"], spec: Partial<PodSpec> = {}): Pod => ({ metadata: { name: "p", namespace: "n", uid: "u" }, spec: { containers: [{ name: "c", securityContext }], ...spec } });
const contextOf = (pod: Pod, image: ImageUser = {}) => containerSecurityContext(pod, pod.spec.containers[0]!, image, { seccompRoot: "/seccomp" });

test.each<[string, Pod, ImageUser, string | undefined]>([
  ["not asked for", podOf({}), { uid: 0 }, undefined], ["a user is given", podOf({ runAsNonRoot: true, runAsUser: 5 }), { uid: 0 }, undefined],
  ["root is given", podOf({ runAsNonRoot: true, runAsUser: 0 }), {}, "container's runAsUser breaks non-root policy"], ["the image's user", podOf({ runAsNonRoot: true }), { uid: 7 }, undefined],
  ["the image is root's", podOf({ runAsNonRoot: true }), { uid: 0 }, "image will run as root"], ["a name only", podOf({ runAsNonRoot: true }), { username: "www" }, "image has non-numeric user (www)"],
  ["the pod's wish", podOf({}, { securityContext: { runAsNonRoot: true } }), { uid: 0 }, "image will run as root"], ["the container's own wins", podOf({ runAsNonRoot: false }, { securityContext: { runAsNonRoot: true } }), { uid: 0 }, undefined],
])("runAsNonRoot: %s", (_, pod, image, expected) => {
  const violation = nonRootViolation(pod, pod.spec.containers[0]!, image);
  if (expected === undefined) expect(violation).toBeUndefined();
  else expect(violation).toContain(expected);
});

test.each<[string, Partial<PodSpec>, object]>([
  ["of its own", {}, { network: NamespaceMode.POD, ipc: NamespaceMode.POD, pid: NamespaceMode.CONTAINER }], ["a shared pid", { shareProcessNamespace: true }, { pid: NamespaceMode.POD }],
  ["the host's", { hostNetwork: true, hostPID: true, hostIPC: true }, { network: NamespaceMode.NODE, ipc: NamespaceMode.NODE, pid: NamespaceMode.NODE }],
])("namespaces: %s", (_, spec, expected) => expect(namespaceOptions(podOf({}, spec))).toMatchObject(expected));

test("an ephemeral container joins its target's processes, unless the pod shares them anyway", () => {
  expect(namespaceOptions(podOf({}), "t")).toMatchObject({ pid: NamespaceMode.TARGET, targetId: "t" });
  expect(namespaceOptions(podOf({}, { shareProcessNamespace: true }), "t")).toEqual({ network: NamespaceMode.POD, ipc: NamespaceMode.POD, pid: NamespaceMode.POD });
});

test("users, groups, privileges and seccomp", () => {
  const pod = podOf({ runAsUser: 0, runAsGroup: 3, allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { add: ["NET_ADMIN"], drop: ["ALL"] } }, { securityContext: { runAsUser: 9, fsGroup: 4, supplementalGroups: [5], seccompProfile: { type: "Localhost", localhostProfile: "p.json" } } });
  expect(contextOf(pod)).toMatchObject({
    runAsUser: { value: 0 }, runAsGroup: { value: 3 }, supplementalGroups: [5, 4], noNewPrivs: true, readonlyRootfs: true, privileged: false,
    capabilities: { addCapabilities: ["NET_ADMIN"], dropCapabilities: ["ALL"] }, seccomp: { profileType: ProfileType.Localhost, localhostRef: "/seccomp/p.json" },
  });
  expect(contextOf(podOf(undefined), { username: "www" })).toMatchObject({ runAsUsername: "www", seccomp: { profileType: ProfileType.Unconfined } });
  expect(contextOf(podOf({ procMount: "Unmasked" })).maskedPaths).toEqual([]);
  expect(contextOf(podOf({})).maskedPaths).toContain("/proc/kcore");
});

test("a privileged container makes its sandbox so", () => {
  expect(sandboxSecurityContext(podOf({ privileged: true }), "/s").privileged).toBe(true);
  expect(sandboxSecurityContext(podOf({}), "/s").privileged).toBe(false);
});

test.each([[undefined, 0], ["Merge", 0], ["Strict", 1]] as const)("the groups of the image's user with the policy %p, in the sandbox too", (supplementalGroupsPolicy, policy) => {
  const pod = podOf({}, { securityContext: supplementalGroupsPolicy ? { supplementalGroupsPolicy } : {} });
  expect([contextOf(pod).supplementalGroupsPolicy, sandboxSecurityContext(pod, "/s").supplementalGroupsPolicy]).toEqual([policy, policy]);
});
