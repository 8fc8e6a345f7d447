import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { PodSecurityContext, SeccompProfile, SecurityContext } from "../../../src/apis/generated/core/v1.ts";
import { NamespaceMode, ProfileType, SupplementalGroupsPolicy, type LinuxContainerSecurityContext, type LinuxSandboxSecurityContext, type NamespaceOption, type SecurityProfile } from "../../cri/generated/messages.ts";
import { allContainers, type Container, type Pod } from "../pod/pod.ts";

/** Masked and read-only unless `procMount: Unmasked`. Source: k8s.io/kubernetes/pkg/securitycontext/util.go. */
const maskedPaths = ["/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"];
const readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/** Who the image says it runs as. */
export interface ImageUser {
  uid?: number;
  username?: string;
}

/** The container's own settings over the pod's. Source: DetermineEffectiveSecurityContext. */
export function effectiveSecurityContext(pod: Pod, container: Container): Frozen<SecurityContext> {
  const { runAsUser, runAsGroup, runAsNonRoot, seccompProfile, appArmorProfile } = pod.spec.securityContext ?? ({} as Frozen<PodSecurityContext>);
  const inherited = { runAsUser, runAsGroup, runAsNonRoot, seccompProfile, appArmorProfile };
  const own = Object.fromEntries(Object.entries(container.securityContext ?? {}).filter(([, value]) => value !== undefined && value !== null));
  return { ...inherited, ...own } as Frozen<SecurityContext>;
}

/** Why the image may not run under `runAsNonRoot`, in Kubernetes' words; undefined when it may. */
export function nonRootViolation(pod: Pod, container: Container, image: ImageUser): string | undefined {
  const context = effectiveSecurityContext(pod, container);
  if (!context.runAsNonRoot) return undefined;
  const about = `(pod: "${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})", container: ${container.name})`;
  if (context.runAsUser !== undefined) return context.runAsUser === 0 ? `container's runAsUser breaks non-root policy ${about}` : undefined;
  if (image.uid !== undefined) return image.uid === 0 ? `container has runAsNonRoot and image will run as root ${about}` : undefined;
  if (image.username) return `container has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root ${about}`;
  return `container has runAsNonRoot and image will run as root ${about}`;
}

export function containerSecurityContext(pod: Pod, container: Container, image: ImageUser, { seccompRoot, targetId }: { seccompRoot: string; targetId?: string }): LinuxContainerSecurityContext {
  const context = effectiveSecurityContext(pod, container);
  const unmasked = context.privileged || context.procMount === "Unmasked";
  const result: LinuxContainerSecurityContext = {
    privileged: context.privileged ?? false,
    readonlyRootfs: context.readOnlyRootFilesystem ?? false,
    // A CRI runtime reads omitted options as "share the sandbox's process namespace", so they are always sent.
    namespaceOptions: namespaceOptions(pod, targetId),
    noNewPrivs: context.allowPrivilegeEscalation === false,
    maskedPaths: unmasked ? [] : maskedPaths,
    readonlyPaths: unmasked ? [] : readonlyPaths,
    supplementalGroups: supplementalGroups(pod),
    supplementalGroupsPolicy: supplementalGroupsPolicy(pod),
    seccomp: seccompOf(context.privileged ? { type: "Unconfined" } : context.seccompProfile, seccompRoot),
  };
  if (context.capabilities) result.capabilities = { addCapabilities: [...(context.capabilities.add ?? [])], dropCapabilities: [...(context.capabilities.drop ?? [])] };
  if (context.appArmorProfile) result.apparmor = { profileType: ProfileType[context.appArmorProfile.type], localhostRef: context.appArmorProfile.localhostProfile };
  if (context.runAsUser !== undefined) result.runAsUser = { value: context.runAsUser };
  else if (image.uid !== undefined) result.runAsUser = { value: image.uid };
  else if (image.username) result.runAsUsername = image.username;
  if (context.runAsGroup !== undefined) result.runAsGroup = { value: context.runAsGroup };
  return result;
}

export function sandboxSecurityContext(pod: Pod, seccompRoot: string): LinuxSandboxSecurityContext {
  const { runAsUser, runAsGroup, seccompProfile } = pod.spec.securityContext ?? ({} as Frozen<PodSecurityContext>);
  const privileged = allContainers(pod).some((container) => container.securityContext?.privileged);
  const result: LinuxSandboxSecurityContext = {
    // A privileged container is refused in a sandbox that isn't.
    privileged, namespaceOptions: namespaceOptions(pod),
    supplementalGroups: supplementalGroups(pod),
    supplementalGroupsPolicy: supplementalGroupsPolicy(pod),
    seccomp: seccompOf(seccompProfile ?? { type: "RuntimeDefault" }, seccompRoot),
  };
  if (runAsUser !== undefined) result.runAsUser = { value: runAsUser };
  if (runAsGroup !== undefined && runAsUser !== undefined) result.runAsGroup = { value: runAsGroup };
  return result;
}

/** `targetId` counts only where containers have process namespaces of their own. */
export function namespaceOptions(pod: Pod, targetId?: string): NamespaceOption {
  const { hostNetwork, hostPID, hostIPC, shareProcessNamespace } = pod.spec;
  const pid = hostPID ? NamespaceMode.NODE : shareProcessNamespace ? NamespaceMode.POD : targetId ? NamespaceMode.TARGET : NamespaceMode.CONTAINER;
  return {
    network: hostNetwork ? NamespaceMode.NODE : NamespaceMode.POD,
    ipc: hostIPC ? NamespaceMode.NODE : NamespaceMode.POD,
    pid, ...(pid === NamespaceMode.TARGET ? { targetId } : {}),
  };
}

const supplementalGroups = (pod: Pod): number[] => {
  const { fsGroup, supplementalGroups: groups = [] } = pod.spec.securityContext ?? ({} as Frozen<PodSecurityContext>);
  return fsGroup === undefined ? [...groups] : [...groups, fsGroup];
};

/** Source: KEP-3619. */
const supplementalGroupsPolicy = (pod: Pod): SupplementalGroupsPolicy => SupplementalGroupsPolicy[pod.spec.securityContext?.supplementalGroupsPolicy ?? "Merge"];

/** Unset is unconfined, as in Kubernetes without SeccompDefault. */
function seccompOf(profile: Frozen<SeccompProfile> | undefined, seccompRoot: string): SecurityProfile {
  if (profile?.type === "Localhost") return { profileType: ProfileType.Localhost, localhostRef: `${seccompRoot}/${profile.localhostProfile}` };
  return { profileType: profile?.type === "RuntimeDefault" ? ProfileType.RuntimeDefault : ProfileType.Unconfined };
}
