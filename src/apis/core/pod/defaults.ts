import type { Container, HTTPGetAction, LifecycleHandler, Pod, PodSpec, PodTemplateSpec, Probe, Volume } from "../../generated/core/v1.ts";
import { compareQuantities } from "../../../apimachinery/quantity.ts";
import { roundAmounts } from "../round-amounts.ts";
import { defaultNetworkVolume } from "../volume/network-sources.ts";
import { defaultClaimSpec } from "../volume/claim-defaults.ts";
import { dropDisabledFields } from "./disabled-fields.ts";
import { aggregatedRequests, isPodLevelResource } from "./resources.ts";
import { imageTag } from "./image-name.ts";

/** Defaults of a Pod: those of any pod spec, and those that must not show in a template. */
export function defaultPod(pod: Pod): void {
  pod.spec ??= { containers: [] };
  const spec = pod.spec;
  defaultPodSpec(spec);
  const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  for (const container of containers) requestsFromLimits(container);
  podRequestsFromLimits(spec);
  spec.enableServiceLinks ??= true;
  // Not in a template, which keeps what its author wrote.
  if (spec.terminationGracePeriodSeconds! < 0) spec.terminationGracePeriodSeconds = 1;
  if (!spec.hostNetwork) return;
  for (const container of containers) {
    for (const port of container.ports ?? []) port.hostPort ||= port.containerPort;
  }
}

/** Defaults of the pod template of a Deployment, ReplicaSet and the like. */
export function defaultPodTemplate(template: PodTemplateSpec): void {
  template.metadata ??= {};
  template.spec ??= { containers: [] };
  defaultPodSpec(template.spec);
}

export function defaultPodSpec(spec: PodSpec): void {
  spec.containers ??= [];
  dropDisabledFields(spec);
  spec.dnsPolicy ||= "ClusterFirst";
  spec.restartPolicy ||= "Always";
  spec.securityContext ??= {};
  spec.terminationGracePeriodSeconds ??= 30;
  spec.schedulerName ||= "default-scheduler";
  // The two spellings of one field, kept equal as the conversion of Kubernetes does.
  spec.serviceAccountName ||= spec.serviceAccount;
  if (spec.serviceAccountName) spec.serviceAccount = spec.serviceAccountName;
  else {
    delete spec.serviceAccountName;
    delete spec.serviceAccount;
  }
  for (const container of spec.containers) defaultContainer(container);
  for (const container of spec.initContainers ?? []) defaultContainer(container);
  for (const container of spec.ephemeralContainers ?? []) defaultContainer(container);
  for (const volume of spec.volumes ?? []) defaultVolume(volume);
  roundAmounts(spec.resources?.requests);
  roundAmounts(spec.resources?.limits);
  roundAmounts(spec.overhead);
}

/** Also of ephemeral containers, whose fields are a container's. */
export function defaultContainer(container: Container): void {
  container.imagePullPolicy ||= pullPolicyFor(container.image ?? "");
  container.terminationMessagePath ||= "/dev/termination-log";
  container.terminationMessagePolicy ||= "File";
  container.resources ??= {};
  roundAmounts(container.resources.requests);
  roundAmounts(container.resources.limits);
  for (const port of container.ports ?? []) port.protocol ||= "TCP";
  for (const env of container.env ?? []) {
    if (env.valueFrom?.fieldRef) env.valueFrom.fieldRef.apiVersion ||= "v1";
    if (env.valueFrom?.fileKeyRef) env.valueFrom.fileKeyRef.optional ??= false;
    if (env.valueFrom?.resourceFieldRef) env.valueFrom.resourceFieldRef.divisor ??= "0";
  }
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe]) if (probe) defaultProbe(probe);
  for (const handler of [container.lifecycle?.postStart, container.lifecycle?.preStop]) if (handler) defaultHandler(handler);
}

const pullPolicyFor = (image: string): "Always" | "IfNotPresent" => (imageTag(image) === "latest" ? "Always" : "IfNotPresent");

function defaultProbe(probe: Probe): void {
  probe.timeoutSeconds ||= 1;
  probe.periodSeconds ||= 10;
  probe.successThreshold ||= 1;
  probe.failureThreshold ||= 3;
  if (probe.grpc) probe.grpc.service ??= "";
  defaultHandler(probe);
}

function defaultHandler(handler: LifecycleHandler | Probe): void {
  const http: HTTPGetAction | undefined = handler.httpGet;
  if (!http) return;
  http.path ||= "/";
  http.scheme ||= "HTTP";
}

function defaultVolume(volume: Volume): void {
  if (!Object.keys(volume).some((key) => key !== "name")) volume.emptyDir = {};
  if (volume.secret) volume.secret.defaultMode ??= 0o644;
  if (volume.configMap) volume.configMap.defaultMode ??= 0o644;
  if (volume.downwardAPI) volume.downwardAPI.defaultMode ??= 0o644;
  if (volume.hostPath) volume.hostPath.type ??= "";
  if (volume.image) volume.image.pullPolicy ||= pullPolicyFor(volume.image.reference ?? "");
  defaultNetworkVolume(volume);
  if (volume.ephemeral?.volumeClaimTemplate) defaultClaimSpec(volume.ephemeral.volumeClaimTemplate.spec ??= {});
  if (volume.projected) volume.projected.defaultMode ??= 0o644;
  const downward = [volume.downwardAPI, ...(volume.projected?.sources ?? []).map((source) => source.downwardAPI)];
  for (const source of volume.projected?.sources ?? []) if (source.serviceAccountToken) source.serviceAccountToken.expirationSeconds ??= 3600;
  for (const item of downward.flatMap((source) => source?.items ?? [])) {
    if (item.fieldRef) item.fieldRef.apiVersion ||= "v1";
    if (item.resourceFieldRef) item.resourceFieldRef.divisor ??= "0";
  }
}

function requestsFromLimits(container: Container): void {
  const resources = container.resources;
  if (!resources?.limits) return;
  resources.requests = { ...resources.limits, ...resources.requests };
}

/** Pod-level requests, when pod-level limits are given: what the containers ask together, else the limit. */
function podRequestsFromLimits(spec: PodSpec): void {
  const limits = spec.resources?.limits;
  if (!limits || Object.keys(limits).length === 0) return;
  const requests: Record<string, string | number> = { ...spec.resources!.requests };
  for (const [name, amount] of Object.entries(aggregatedRequests(spec))) {
    if ((name === "cpu" || name === "memory") && compareQuantities(amount, "0") > 0) requests[name] ??= amount;
  }
  for (const [name, amount] of Object.entries(limits)) if (isPodLevelResource(name)) requests[name] ??= amount;
  if (Object.keys(requests).length > 0) spec.resources!.requests = requests;
}
