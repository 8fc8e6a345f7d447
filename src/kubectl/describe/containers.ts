import type { Container, ContainerPort, ContainerState, ContainerStatus, EnvVar, Pod, Probe, ResourceRequirements } from "../../apis/generated/core/v1.ts";
import { at } from "../objects.ts";
import { dateText } from "../times.ts";
import type { Description } from "./description.ts";

const titled = (flag: boolean | undefined): string => (flag ? "True" : "False");

/** The containers of a pod, or of a template, which has neither state nor a pod to read fields of. */
export function describeContainers(text: Description, title: string, containers: readonly Container[], statuses: readonly ContainerStatus[] | undefined, pod: Pod | undefined, indent = ""): void {
  text.line(0, `${indent}${title}:${containers.length ? "" : " <none>"}`);
  for (const container of containers) {
    const status = statuses?.find(({ name }) => name === container.name);
    text.line(1, `${indent ? " " : ""}${container.name}:`);
    if (status) text.line(2, `Container ID:\t${status.containerID ?? ""}`);
    text.line(2, `Image:\t${container.image ?? ""}`);
    if (status) text.line(2, `Image ID:\t${status.imageID}`);
    describePorts(text, container.ports ?? []);
    const { seccompProfile } = container.securityContext ?? {};
    if (seccompProfile) text.line(2, `SeccompProfile:\t${seccompProfile.type}`);
    for (const [name, words] of [["Command", container.command], ["Args", container.args]] as const) {
      if (!words?.length) continue;
      text.line(2, `${name}:`);
      for (const line of words.flatMap((word) => word.split("\n"))) text.line(3, line);
    }
    if (status) describeState(text, status);
    describeResources(text, container.resources, 2);
    for (const [name, probe] of [["Liveness", container.livenessProbe], ["Readiness", container.readinessProbe], ["Startup", container.startupProbe]] as const) if (probe) text.line(2, `${name}:\t${probeText(probe)}`);
    describeSources(text, container);
    text.line(2, `Environment:${container.env?.length ? "" : "\t<none>"}`);
    for (const variable of container.env ?? []) describeVariable(text, variable, container, pod);
    const mounts = (container.volumeMounts ?? []).toSorted((a, b) => (a.mountPath < b.mountPath ? -1 : 1));
    text.line(2, `Mounts:${mounts.length ? "" : "\t<none>"}`);
    for (const { mountPath, name, readOnly, subPath } of mounts) text.line(3, `${mountPath} from ${name} (${readOnly ? "ro" : "rw"}${subPath ? `,path=${JSON.stringify(subPath)}` : ""})`);
    if (container.volumeDevices?.length) text.line(2, `Devices:${mounts.length ? "" : "\t<none>"}`);
    for (const { devicePath, name } of container.volumeDevices ?? []) text.line(3, `${devicePath} from ${name}`);
  }
}

function describePorts(text: Description, ports: readonly ContainerPort[]): void {
  const listed = (number: (port: ContainerPort) => number): string => ports.map((port) => `${number(port)}/${port.protocol ?? "TCP"}${port.name ? ` (${port.name})` : ""}`).join(", ");
  const plural = ports.length > 1 ? "s" : "";
  text.line(2, `Port${plural}:\t${listed(({ containerPort }) => containerPort) || "<none>"}`);
  text.line(2, `Host Port${plural}:\t${listed(({ hostPort = 0 }) => hostPort) || "<none>"}`);
}

export function describeResources(text: Description, resources: ResourceRequirements | undefined, level: number): void {
  for (const [title, quantities] of [["Limits", resources?.limits], ["Requests", resources?.requests]] as const) {
    const entries = Object.entries(quantities ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
    if (entries.length) text.line(level, `${title}:`);
    for (const [name, quantity] of entries) text.line(level + 1, `${name}:\t${quantity}`);
  }
}

function describeState(text: Description, { state, lastState, ready, restartCount }: ContainerStatus): void {
  stateLines(text, "State", state);
  if (lastState?.terminated) stateLines(text, "Last State", lastState);
  text.line(2, `Ready:\t${titled(ready)}`).line(2, `Restart Count:\t${restartCount}`);
}

function stateLines(text: Description, title: string, { running, waiting, terminated }: ContainerState = {}): void {
  if (running) {
    text.line(2, `${title}:\tRunning`).line(3, `Started:\t${dateText(running.startedAt)}`);
  } else if (terminated) {
    text.line(2, `${title}:\tTerminated`).field(3, "Reason", terminated.reason).field(3, "Message", terminated.message).line(3, `Exit Code:\t${terminated.exitCode}`);
    if (terminated.signal) text.line(3, `Signal:\t${terminated.signal}`);
    text.line(3, `Started:\t${dateText(terminated.startedAt)}`).line(3, `Finished:\t${dateText(terminated.finishedAt)}`);
  } else {
    text.line(2, `${title}:\tWaiting`).field(3, "Reason", waiting?.reason);
  }
}

function probeText({ exec, httpGet, tcpSocket, grpc, initialDelaySeconds = 0, timeoutSeconds = 0, periodSeconds = 0, successThreshold = 0, failureThreshold = 0 }: Probe): string {
  const timing = `delay=${initialDelaySeconds}s timeout=${timeoutSeconds}s period=${periodSeconds}s #success=${successThreshold} #failure=${failureThreshold}`;
  if (exec) return `exec [${(exec.command ?? []).join(" ")}] ${timing}`;
  if (httpGet) return `http-get ${(httpGet.scheme ?? "HTTP").toLowerCase()}://${httpGet.host ?? ""}:${httpGet.port}${httpGet.path ?? ""} ${timing}`;
  if (tcpSocket) return `tcp-socket ${tcpSocket.host ?? ""}:${tcpSocket.port} ${timing}`;
  return grpc ? `grpc <pod>:${grpc.port} ${grpc.service ?? ""} ${timing}` : `unknown ${timing}`;
}

function describeSources(text: Description, { envFrom = [] }: Container): void {
  if (envFrom.length) text.line(2, "Environment Variables from:");
  for (const { configMapRef, secretRef, prefix } of envFrom) {
    const kind = configMapRef ? "ConfigMap" : "Secret", reference = configMapRef ?? secretRef;
    text.line(3, `${reference?.name ?? ""}\t${kind}${prefix ? ` with prefix '${prefix}'` : ""}\tOptional: ${reference?.optional ?? false}`);
  }
}

function describeVariable(text: Description, { name, value = "", valueFrom }: EnvVar, container: Container, pod: Pod | undefined): void {
  const { fieldRef, resourceFieldRef, secretKeyRef, configMapKeyRef } = valueFrom ?? {};
  if (fieldRef) text.line(3, `${name}:\t${fieldValue(pod, fieldRef.fieldPath)} (${fieldRef.apiVersion ?? "v1"}:${fieldRef.fieldPath})`);
  else if (resourceFieldRef) text.line(3, `${name}:\t${at(container, "resources", ...resourceFieldRef.resource.split(".")) as string | undefined ?? (resourceFieldRef.resource.startsWith("limits.") ? "node allocatable" : "0")} (${resourceFieldRef.resource})`);
  else if (secretKeyRef) text.line(3, `${name}:\t<set to the key '${secretKeyRef.key}' in secret '${secretKeyRef.name}'>\tOptional: ${secretKeyRef.optional ?? false}`);
  else if (configMapKeyRef) text.line(3, `${name}:\t<set to the key '${configMapKeyRef.key}' of config map '${configMapKeyRef.name}'>\tOptional: ${configMapKeyRef.optional ?? false}`);
  else value.split("\n").forEach((line, index) => text.line(3, `${index === 0 ? `${name}:` : ""}\t${line}`));
}

/** The value that a field reference has in a pod that runs. */
function fieldValue(pod: Pod | undefined, path: string): string {
  if (!pod) return "";
  const [, field, key] = /^(metadata\.(?:labels|annotations))\['(.+)'\]$/.exec(path) ?? [];
  const value = at(pod, ...(field ? [...field.split("."), key!] : path.split(".")));
  return value === undefined ? "" : String(value);
}
