import type { Pod, PodTemplateSpec, Toleration, Volume } from "../../apis/generated/core/v1.ts";
import { at } from "../objects.ts";
import { describeContainers, describeResources } from "./containers.ts";
import { ageOf, dateText } from "../times.ts";
import type { Description } from "./description.ts";

export function describePod(text: Description, pod: Pod): void {
  const { metadata = {}, spec, status } = pod;
  text.line(0, `Name:\t${metadata.name}`).line(0, `Namespace:\t${metadata.namespace}`);
  text.field(0, "Priority", spec!.priority).field(0, "Priority Class Name", spec!.priorityClassName).field(0, "Runtime Class Name", spec!.runtimeClassName).field(0, "Service Account", spec!.serviceAccountName);
  text.line(0, `Node:\t${spec!.nodeName ? `${spec!.nodeName}/${status?.hostIP ?? ""}` : "<none>"}`);
  if (status?.startTime) text.line(0, `Start Time:\t${dateText(status.startTime)}`);
  text.labels("Labels", metadata.labels).annotations(metadata.annotations);
  if (metadata.deletionTimestamp && status?.phase !== "Failed" && status?.phase !== "Succeeded") {
    text.line(0, `Status:\tTerminating (lasts ${ageOf(metadata.deletionTimestamp)})`).line(0, `Termination Grace Period:\t${metadata.deletionGracePeriodSeconds}s`);
  } else {
    text.line(0, `Status:\t${status?.phase ?? ""}`);
  }
  text.field(0, "Reason", status?.reason).field(0, "Message", status?.message).field(0, "SeccompProfile", spec!.securityContext?.seccompProfile?.type);
  text.line(0, `IP:\t${status?.podIP ?? ""}`);
  text.line(0, status?.podIPs?.length ? "IPs:" : "IPs:\t<none>");
  for (const { ip } of status?.podIPs ?? []) text.line(1, `IP:\t${ip}`);
  const controller = metadata.ownerReferences?.find(({ controller: is }) => is);
  if (controller) text.line(0, `Controlled By:\t${controller.kind}/${controller.name}`);
  text.field(0, "NominatedNodeName", status?.nominatedNodeName);
  if (spec!.resources) describeResources(text.line(0, "Resources:"), spec!.resources, 1);
  if (spec!.initContainers?.length) describeContainers(text, "Init Containers", spec!.initContainers, status?.initContainerStatuses, pod);
  describeContainers(text, "Containers", spec!.containers, status?.containerStatuses, pod);
  if (spec!.ephemeralContainers?.length) describeContainers(text, "Ephemeral Containers", spec!.ephemeralContainers, status?.ephemeralContainerStatuses, pod);
  const conditions = status?.conditions ?? [];
  if (spec!.readinessGates?.length) text.line(0, "Readiness Gates:").line(1, "Type\tStatus");
  for (const { conditionType } of spec!.readinessGates ?? []) text.line(1, `${conditionType} \t${conditions.find(({ type }) => type === conditionType)?.status ?? "<none>"} `);
  if (conditions.length) text.line(0, "Conditions:").line(1, "Type\tStatus");
  for (const { type, status: is } of conditions) text.line(1, `${type} \t${is} `);
  describeVolumes(text, spec!.volumes ?? [], "");
  text.line(0, `QoS Class:\t${status?.qosClass ?? ""}`);
  text.labels("Node-Selectors", spec!.nodeSelector).entries("Tolerations", tolerationTexts(spec!.tolerations ?? []));
}

/** The pods that a workload makes. */
export function describePodTemplate(text: Description, { metadata = {}, spec }: PodTemplateSpec): void {
  text.line(0, "Pod Template:").labels("Labels", metadata.labels, "  ");
  if (Object.keys(metadata.annotations ?? {}).length) text.annotations(metadata.annotations, "", "  Annotations");
  if (spec!.serviceAccountName) text.line(0, `  Service Account:\t${spec!.serviceAccountName}`);
  if (spec!.initContainers?.length) describeContainers(text, "Init Containers", spec!.initContainers, undefined, undefined, "  ");
  describeContainers(text, "Containers", spec!.containers, undefined, undefined, "  ");
  describeVolumes(text, spec!.volumes ?? [], "  ");
  if (spec!.priorityClassName) text.line(0, `  Priority Class Name:\t${spec!.priorityClassName}`);
  text.labels("Node-Selectors", spec!.nodeSelector, "  ").entries("Tolerations", tolerationTexts(spec!.tolerations ?? []), "  ");
}

const tolerationTexts = (tolerations: readonly Toleration[]): string[] => tolerations.toSorted((a, b) => ((a.key ?? "") < (b.key ?? "") ? -1 : 1)).map(({ key = "", value = "", effect = "", operator, tolerationSeconds }) => {
  const what = `${key}${value ? `=${value}` : ""}${effect ? `:${effect}` : ""}`;
  return `${what}${operator === "Exists" && !value ? `${what ? " " : ""}op=Exists` : ""}${tolerationSeconds === undefined ? "" : ` for ${tolerationSeconds}s`}`;
});

/** What a volume is, and of it what matters: label and the way to the value. */
const volumeKinds: Readonly<Record<string, readonly [about: string, ...fields: (readonly [label: string, field: string])[]]>> = {
  hostPath: ["HostPath (bare host directory volume)", ["Path", "path"], ["HostPathType", "type"]],
  emptyDir: ["EmptyDir (a temporary directory that shares a pod's lifetime)", ["Medium", "medium"], ["SizeLimit", "sizeLimit"]],
  secret: ["Secret (a volume populated by a Secret)", ["SecretName", "secretName"], ["Optional", "optional"]],
  configMap: ["ConfigMap (a volume populated by a ConfigMap)", ["Name", "name"], ["Optional", "optional"]],
  nfs: ["NFS (an NFS mount that lasts the lifetime of a pod)", ["Server", "server"], ["Path", "path"], ["ReadOnly", "readOnly"]],
  persistentVolumeClaim: ["PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)", ["ClaimName", "claimName"], ["ReadOnly", "readOnly"]],
  downwardAPI: ["DownwardAPI (a volume populated by information about the pod)"],
  csi: ["CSI (a Container Storage Interface (CSI) volume source)", ["Driver", "driver"], ["FSType", "fsType"], ["ReadOnly", "readOnly"]],
  iscsi: ["ISCSI (an ISCSI Disk resource that is attached to a kubelet's host machine and then exposed to the pod)", ["TargetPortal", "targetPortal"], ["IQN", "iqn"]],
  image: ["Image (a container image or OCI artifact)", ["Reference", "reference"], ["PullPolicy", "pullPolicy"]],
};

function describeVolumes(text: Description, volumes: readonly Volume[], indent: string): void {
  text.line(0, `${indent}Volumes:${volumes.length ? "" : "\t<none>"}`);
  for (const volume of volumes) {
    text.line(1, `${indent ? " " : ""}${volume.name}:`);
    const kind = Object.keys(volume).find((key) => key !== "name") ?? "";
    if (kind === "projected") {
      describeProjected(text, volume);
      continue;
    }
    const [about, ...fields] = volumeKinds[kind] ?? [kind || "<unknown>"];
    text.line(2, `Type:\t${about}`);
    for (const [label, field] of fields) text.line(2, `${label}:\t${fieldText(at(volume, kind, field), label)}`);
    if (kind === "downwardAPI") text.line(2, "Items:");
    for (const { path, fieldRef } of volume.downwardAPI?.items ?? []) if (fieldRef) text.line(3, `${fieldRef.fieldPath} -> ${path}`);
  }
}

function fieldText(value: unknown, label: string): string {
  if (value !== undefined) return String(value);
  return label === "Optional" || label === "ReadOnly" ? "false" : label === "SizeLimit" ? "<unset>" : "";
}

function describeProjected(text: Description, { projected }: Volume): void {
  text.line(2, "Type:\tProjected (a volume that contains injected data from multiple sources)");
  for (const { secret, downwardAPI, configMap, serviceAccountToken } of projected?.sources ?? []) {
    if (secret) text.line(2, `SecretName:\t${secret.name}`).line(2, `Optional:\t${secret.optional ?? false}`);
    else if (downwardAPI) text.line(2, "DownwardAPI:\ttrue");
    else if (configMap) text.line(2, `ConfigMapName:\t${configMap.name}`).line(2, `Optional:\t${configMap.optional ?? false}`);
    else if (serviceAccountToken) text.line(2, `TokenExpirationSeconds:\t${serviceAccountToken.expirationSeconds ?? 3600}`);
  }
}
