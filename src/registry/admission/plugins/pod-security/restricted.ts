import type { Frozen } from "../../../../apimachinery/meta.ts";
import type { Volume } from "../../../../apis/generated/core/v1.ts";
import { procMount, seccompProfile } from "./baseline.ts";
import { named, namesWhere, notInUserNamespace, notOnWindows, plural, quoted, settersOf, sorted, type Check, type CheckPod } from "./check.ts";

const allowPrivilegeEscalation: CheckPod = (pod) => {
  const names = namesWhere(pod, ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false);
  return names.length ? { reason: "allowPrivilegeEscalation != false", detail: `${named(names)} must set securityContext.allowPrivilegeEscalation=false` } : undefined;
};

const capabilities: CheckPod = (pod) => {
  const undropped = namesWhere(pod, ({ securityContext }) => !securityContext?.capabilities?.drop?.includes("ALL"));
  const added = new Set<string>();
  const adding = namesWhere(pod, ({ securityContext }) => {
    const extra = (securityContext?.capabilities?.add ?? []).filter((capability) => capability !== "NET_BIND_SERVICE");
    for (const capability of extra) added.add(capability);
    return extra.length > 0;
  });
  const details = [
    ...(undropped.length ? [`${named(undropped)} must set securityContext.capabilities.drop=["ALL"]`] : []),
    ...(adding.length ? [`${named(adding)} must not include ${quoted(sorted(added))} in securityContext.capabilities.add`] : []),
  ];
  return details.length ? { reason: "unrestricted capabilities", detail: details.join("; ") } : undefined;
};

const allowedVolumes = new Set(["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret"]);
const restrictedVolumeTypes = [
  "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "gitRepo", "nfs", "iscsi", "glusterfs", "rbd", "flexVolume", "cinder", "cephfs", "flocker", "fc", "azureFile",
  "vsphereVolume", "quobyte", "azureDisk", "photonPersistentDisk", "portworxVolume", "scaleIO", "storageos",
];

const volumeTypes: CheckPod = ({ spec }) => {
  const has = (volume: Frozen<Volume>, type: string): boolean => (volume as unknown as Readonly<Record<string, unknown>>)[type] !== undefined;
  const bad = (spec.volumes ?? []).filter((volume) => ![...allowedVolumes].some((type) => has(volume, type)));
  if (bad.length === 0) return undefined;
  const types = sorted(bad.map((volume) => restrictedVolumeTypes.find((type) => has(volume, type)) ?? "unknown"));
  return { reason: "restricted volume types", detail: `${named(bad.map(({ name }) => name), "volume")} ${bad.length === 1 ? "uses" : "use"} ${plural("restricted volume type", types.length)} ${quoted(types)}` };
};

const runAsNonRoot: CheckPod = (pod) => {
  const whole = pod.spec.securityContext?.runAsNonRoot;
  const setters = settersOf(pod, whole === false, (context) => context.runAsNonRoot === false);
  if (setters) return { reason: "runAsNonRoot != true", detail: `${setters} must not set securityContext.runAsNonRoot=false` };
  const silent = whole ? [] : namesWhere(pod, ({ securityContext }) => securityContext?.runAsNonRoot === undefined);
  return silent.length ? { reason: "runAsNonRoot != true", detail: `pod or ${named(silent)} must set securityContext.runAsNonRoot=true` } : undefined;
};

const runAsUser: CheckPod = (pod) => {
  const setters = settersOf(pod, pod.spec.securityContext?.runAsUser === 0, (context) => context.runAsUser === 0);
  return setters ? { reason: "runAsUser=0", detail: `${setters} must not set runAsUser=0` } : undefined;
};

const seccomp: CheckPod = (pod) => {
  const explicit = seccompProfile(pod);
  if (explicit || pod.spec.securityContext?.seccompProfile) return explicit;
  const silent = namesWhere(pod, ({ securityContext }) => !securityContext?.seccompProfile);
  return silent.length ? { reason: "seccompProfile", detail: `pod or ${named(silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"` } : undefined;
};

/** What the restricted level adds to baseline, in the order in which violations are named. */
export const restricted: readonly Check[] = [
  { id: "allowPrivilegeEscalation", versions: [{ since: 8, check: allowPrivilegeEscalation }, { since: 25, check: notOnWindows(allowPrivilegeEscalation) }] },
  { id: "capabilities_restricted", overrides: "capabilities_baseline", versions: [{ since: 22, check: capabilities }, { since: 25, check: notOnWindows(capabilities) }] },
  { id: "procMount_restricted", overrides: "procMount", versions: [{ since: 35, check: procMount }] },
  { id: "restrictedVolumes", overrides: "hostPathVolumes", versions: [{ since: 0, check: volumeTypes }] },
  { id: "runAsNonRoot", versions: [{ since: 0, check: runAsNonRoot }, { since: 35, check: notInUserNamespace(runAsNonRoot) }] },
  { id: "runAsUser", versions: [{ since: 23, check: runAsUser }, { since: 35, check: notInUserNamespace(runAsUser) }] },
  { id: "seccompProfile_restricted", overrides: "seccompProfile_baseline", versions: [{ since: 19, check: seccomp }, { since: 25, check: notOnWindows(seccomp) }] },
];
