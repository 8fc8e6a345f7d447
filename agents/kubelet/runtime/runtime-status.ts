import type { ContainerRuntime } from "../../cri/cri.ts";
import { GrpcCode, GrpcError } from "../../../src/base/grpc/error.ts";
import { ContainerState, PodSandboxState, type Container as CriContainer, type ContainerStatus as CriContainerStatus, type LinuxContainerResources, type PodSandbox } from "../../cri/generated/messages.ts";
import type { Pod } from "../pod/pod.ts";
import { containerNameLabel, podNameLabel, podNamespaceLabel, podUidLabel, readContainerFacts, type ContainerFacts } from "./labels.ts";

/** One container the runtime knows, running or dead. Times are in milliseconds since the Unix epoch. */
export interface RuntimeContainer extends ContainerFacts {
  id: string;
  sandboxId: string;
  name: string;
  state: "created" | "running" | "exited" | "unknown";
  createdAt: number;
  startedAt: number;
  finishedAt: number;
  exitCode: number;
  reason: string;
  message: string;
  image: string;
  imageRef: string;
  logPath: string;
  /** What the kernel holds it to, where the runtime tells. */
  limits?: LinuxContainerResources;
  /** Where on the node the container writes its termination message. */
  terminationLog?: string;
  /** Where volumes are mounted that are read-only with all that is mounted below them. */
  recursivelyReadOnly?: readonly string[];
}

export interface RuntimeSandbox {
  id: string;
  ready: boolean;
  attempt: number;
  createdAt: number;
  /** Empty for host-network pods. */
  ips: readonly string[];
  hostNetwork: boolean;
}

/** What the runtime knows of one pod; sandboxes and containers newest first. */
export interface RuntimePod {
  uid: string;
  name: string;
  namespace: string;
  sandboxes: readonly RuntimeSandbox[];
  containers: readonly RuntimeContainer[];
}

/** The newest container of that name. */
export const latestContainer = (pod: RuntimePod, name: string): RuntimeContainer | undefined => pod.containers.find((container) => container.name === name);
/** The newest that has ended: how a container ended last, also while it runs again. */
export const latestEnded = (pod: RuntimePod, name: string): RuntimeContainer | undefined => pod.containers.find((container) => container.name === name && container.state === "exited");
export const currentSandbox = (pod: RuntimePod): RuntimeSandbox | undefined => pod.sandboxes[0];

/** What a list of everything tells of a pod. */
export interface ListedPod extends Pick<RuntimePod, "uid" | "name" | "namespace"> {
  active: string[];
  ids: string[];
  /** What its containers were made with, by name; of several of a name the newest. */
  resources: Map<string, NonNullable<ContainerFacts["resources"]>>;
}

export type RuntimePodList = ReadonlyMap<string, ListedPod>;

/** The identities of all pods the runtime has anything of: sandboxes, or containers without one. */
export async function listRuntimePods({ runtime }: ContainerRuntime): Promise<RuntimePodList> {
  const [{ items = [] }, { containers = [] }] = await Promise.all([runtime.listPodSandbox({}), runtime.listContainers({})]);
  const pods = new Map<string, ListedPod>();
  const add = ({ id = "", labels = {} }: { id?: string; labels?: Record<string, string> }, active: boolean): void => {
    const uid = labels[podUidLabel];
    if (!uid) return;
    let pod = pods.get(uid);
    if (!pod) pods.set(uid, pod = { uid, name: labels[podNameLabel] ?? "", namespace: labels[podNamespaceLabel] ?? "", active: [], ids: [], resources: new Map() });
    pod.ids.push(id);
    if (active) pod.active.push(id);
  };
  for (const sandbox of items) add(sandbox, (sandbox.state ?? PodSandboxState.SANDBOX_READY) === PodSandboxState.SANDBOX_READY);
  for (const container of containers.toSorted((a, b) => (a.createdAt ?? 0) - (b.createdAt ?? 0))) {
    add(container, container.state === ContainerState.CONTAINER_RUNNING);
    const { resources } = readContainerFacts(container.annotations);
    if (resources) pods.get(container.labels?.[podUidLabel] ?? "")?.resources.set(container.labels?.[containerNameLabel] ?? "", resources);
  }
  return pods;
}

/** What runs now, as the runtime has it, whoever wanted it: each pod with a sandbox that is up, and its running containers. */
export async function listRunningPods({ runtime }: ContainerRuntime): Promise<Pick<Pod, "metadata" | "spec">[]> {
  const [{ items = [] }, { containers = [] }] = await Promise.all([runtime.listPodSandbox({}), runtime.listContainers({})]);
  const running = containers.filter(({ state }) => state === ContainerState.CONTAINER_RUNNING);
  return items.filter(({ labels, state }) => labels?.[podUidLabel] && (state ?? PodSandboxState.SANDBOX_READY) === PodSandboxState.SANDBOX_READY).map(({ id, labels = {} }) => ({
    metadata: { name: labels[podNameLabel], namespace: labels[podNamespaceLabel], uid: labels[podUidLabel] },
    spec: { containers: running.filter(({ podSandboxId }) => podSandboxId === id).map((container) => ({ name: container.labels?.[containerNameLabel] ?? "", image: container.image?.image })) },
  }));
}

/** Reads one pod, afresh: two list calls filtered by the pod's label, then one status call for each sandbox and container. */
export async function readRuntimePod({ runtime }: ContainerRuntime, uid: string): Promise<RuntimePod> {
  const labelSelector = { [podUidLabel]: uid };
  const [{ items = [] }, { containers = [] }] = await Promise.all([runtime.listPodSandbox({ filter: { labelSelector } }), runtime.listContainers({ filter: { labelSelector } })]);
  const [sandboxes, statuses] = await Promise.all([
    Promise.all(items.map((item) => ignoreMissing(runtime.podSandboxStatus({ podSandboxId: item.id })).then((response) => response && sandboxOf(item, response.status)))),
    Promise.all(containers.map((item) => ignoreMissing(runtime.containerStatus({ containerId: item.id })).then((response) => response?.status && containerOf(item, response.status)))),
  ]);
  const labels = (items[0] ?? containers[0])?.labels ?? {};
  return {
    uid, name: labels[podNameLabel] ?? "", namespace: labels[podNamespaceLabel] ?? "",
    sandboxes: sandboxes.filter((sandbox) => sandbox !== undefined).sort((a, b) => b.createdAt - a.createdAt),
    containers: statuses.filter((container) => container !== undefined).sort((a, b) => b.createdAt - a.createdAt),
  };
}

type SandboxStatus = NonNullable<Awaited<ReturnType<ContainerRuntime["runtime"]["podSandboxStatus"]>>["status"]>;

function sandboxOf(item: PodSandbox, status: SandboxStatus = {}): RuntimeSandbox {
  const ips = [status.network?.ip, ...(status.network?.additionalIps ?? []).map((additional) => additional.ip)].filter((ip): ip is string => Boolean(ip));
  return {
    id: item.id ?? "", attempt: item.metadata?.attempt ?? 0, createdAt: milliseconds(item.createdAt), ips,
    ready: (status.state ?? PodSandboxState.SANDBOX_READY) === PodSandboxState.SANDBOX_READY,
    hostNetwork: status.linux?.namespaces?.options?.network === 2,
  };
}

const states = { [ContainerState.CONTAINER_CREATED]: "created", [ContainerState.CONTAINER_RUNNING]: "running", [ContainerState.CONTAINER_EXITED]: "exited" } as const;

function containerOf(item: CriContainer, status: CriContainerStatus): RuntimeContainer {
  const facts = readContainerFacts(status.annotations ?? item.annotations);
  const state = (status.state ?? ContainerState.CONTAINER_CREATED) as keyof typeof states;
  const recursivelyReadOnly = status.mounts?.flatMap(({ recursiveReadOnly, containerPath = "" }) => (recursiveReadOnly ? [containerPath] : [])) ?? [];
  return {
    ...facts, id: item.id ?? "", sandboxId: item.podSandboxId ?? "", name: item.labels?.[containerNameLabel] ?? item.metadata?.name ?? "",
    state: states[state] ?? "unknown",
    createdAt: milliseconds(status.createdAt), startedAt: milliseconds(status.startedAt), finishedAt: milliseconds(status.finishedAt),
    exitCode: status.exitCode ?? 0, reason: status.reason ?? "", message: status.message ?? "",
    image: status.image?.image ?? item.image?.image ?? "", imageRef: status.imageRef ?? item.imageRef ?? "", logPath: status.logPath ?? "",
    ...(status.resources?.linux ? { limits: status.resources.linux } : {}),
    ...(recursivelyReadOnly.length > 0 ? { recursivelyReadOnly } : {}),
    terminationLog: status.mounts?.find((mount) => mount.containerPath === facts.terminationMessagePath)?.hostPath,
  };
}

const milliseconds = (nanoseconds: number | undefined): number => Math.floor((nanoseconds ?? 0) / 1e6);

/** The answer, or undefined when the object has gone meanwhile. */
export async function ignoreMissing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof GrpcError && error.code === GrpcCode.NotFound) return undefined;
    throw error;
  }
}
