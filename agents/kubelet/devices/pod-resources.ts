import { ProtoCodec } from "../../../src/base/grpc/protobuf.ts";
import { GrpcCode, GrpcError } from "../../../src/base/grpc/error.ts";
import { GrpcServer, type GrpcMethod } from "../../../src/base/grpc/server.ts";
import { allContainers, isTerminal, type Pod } from "../pod/pod.ts";
import type { DeviceManager } from "./device-manager.ts";
import type { Device } from "./device.ts";

/** The messages of the PodResources API, as far as there is something to tell. Source: k8s.io/kubelet/pkg/apis/podresources/v1. */
export const podResourcesCodec = new ProtoCodec({
  ListPodResourcesRequest: { fields: {} },
  ListPodResourcesResponse: { fields: { pod_resources: { type: "PodResources", id: 1, rule: "repeated" } } },
  GetPodResourcesRequest: { fields: { pod_name: { type: "string", id: 1 }, pod_namespace: { type: "string", id: 2 } } },
  GetPodResourcesResponse: { fields: { pod_resources: { type: "PodResources", id: 1 } } },
  AllocatableResourcesRequest: { fields: {} },
  AllocatableResourcesResponse: { fields: { devices: { type: "ContainerDevices", id: 1, rule: "repeated" } } },
  PodResources: { fields: { name: { type: "string", id: 1 }, namespace: { type: "string", id: 2 }, containers: { type: "ContainerResources", id: 3, rule: "repeated" } } },
  ContainerResources: { fields: { name: { type: "string", id: 1 }, devices: { type: "ContainerDevices", id: 2, rule: "repeated" } } },
  ContainerDevices: { fields: { resource_name: { type: "string", id: 1 }, device_ids: { type: "string", id: 2, rule: "repeated" }, topology: { type: "TopologyInfo", id: 3 } } },
  TopologyInfo: { fields: { nodes: { type: "NUMANode", id: 1, rule: "repeated" } } },
  NUMANode: { fields: { id: { type: "int64", id: 1 } } },
});

export const podResourcesPath = (method: string): string => `/v1.PodResourcesLister/${method}`;

export interface PodResourcesOptions {
  /** `<root>/pod-resources/kubelet.sock`. */
  socketPath: string;
  manager: DeviceManager;
  pods(): readonly Pod[];
}

/** Tells monitoring agents of this machine which container has which device, until `signal` aborts. */
export async function servePodResources({ socketPath, manager, pods }: PodResourcesOptions, signal: AbortSignal): Promise<void> {
  const active = (): Pod[] => pods().filter(({ status }) => !isTerminal(status?.phase));
  const known = (): Map<string, Map<string, Device>> => new Map([...manager.devices()].map(([resource, devices]) => [resource, new Map([...devices].map((device) => [device.id, device]))]));
  const answering = (request: string, response: string, answer: (request: Record<string, unknown>) => Record<string, unknown>): GrpcMethod => async (bytes, send) =>
    send(podResourcesCodec.encode(response, answer(podResourcesCodec.decode(request, bytes))));

  function resourcesOf(pod: Pod): Record<string, unknown> {
    const { name, namespace, uid } = pod.metadata, devices = known();
    const containers = allContainers(pod).map((container) => ({
      name: container.name,
      devices: Object.entries(manager.allocations[uid!]?.[container.name] ?? {}).flatMap(([resource, { ids }]) => byMemory(resource, ids, devices.get(resource))),
    }));
    return { name, namespace, containers };
  }

  const server = new GrpcServer({
    [podResourcesPath("List")]: answering("ListPodResourcesRequest", "ListPodResourcesResponse", () => ({ podResources: active().map(resourcesOf) })),
    [podResourcesPath("Get")]: answering("GetPodResourcesRequest", "GetPodResourcesResponse", ({ podName = "", podNamespace = "" }) => {
      const pod = active().find(({ metadata }) => metadata.name === podName && metadata.namespace === podNamespace);
      if (!pod) throw new GrpcError(GrpcCode.Unknown, `pod ${String(podName)} in namespace ${String(podNamespace)} not found`, podResourcesPath("Get"));
      return { podResources: resourcesOf(pod) };
    }),
    [podResourcesPath("GetAllocatableResources")]: answering("AllocatableResourcesRequest", "AllocatableResourcesResponse", () => ({
      devices: [...known()].flatMap(([resource, devices]) => byMemory(resource, [...devices.values()].filter(({ healthy }) => healthy).map(({ id }) => id), devices)),
    })),
  });
  await server.listen(socketPath);
  await new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true })));
  server.close();
}

/** Devices that are next to the same memory are told of together. */
function byMemory(resourceName: string, ids: readonly string[], devices: ReadonlyMap<string, Device> | undefined): Record<string, unknown>[] {
  const groups = Map.groupBy(ids, (id) => (devices?.get(id)?.numaNodes ?? []).join());
  return [...groups].map(([nodes, deviceIds]) => ({ resourceName, deviceIds, ...(nodes ? { topology: { nodes: nodes.split(",").map((id) => ({ id: Number(id) })) } } : {}) }));
}
