import type { Logger } from "../../src/base/log.ts";
import { ProtoCodec, type Descriptor } from "../../src/base/grpc/protobuf.ts";
import { imageFiles } from "./containerd-images.ts";
import { subscribeToContainerd } from "./containerd-events.ts";
import type { ContainerRuntime, RuntimeEvent } from "./cri.ts";
import { GrpcCode, GrpcError } from "../../src/base/grpc/error.ts";
import descriptors from "./cri-v1.json" with { type: "json" };
import { ContainerEventType, type CallOptions, type ContainerEventResponse, type ImageService, type RuntimeService } from "./generated/messages.ts";
import { GrpcChannel } from "../../src/base/grpc/channel.ts";

interface Method { requestType: string; responseType: string; responseStream?: boolean }
type Table = Record<string, Descriptor & { methods?: Record<string, Method> }>;

const table = descriptors as unknown as Table;
const codec = new ProtoCodec(table);
/** What a call may take at most when the caller does not say. Pulls and stops bring their own. */
const defaultTimeoutMs = 2 * 60 * 1000;

/** Connects to a CRI v1 runtime on a Unix socket. Lazy: the socket may appear later. */
export function connectRuntime({ socket, log }: { socket: string; log: Logger }): ContainerRuntime {
  const channel = new GrpcChannel(socket);
  const runtime = serviceProxy<RuntimeService>(channel, "RuntimeService");
  const images = serviceProxy<ImageService>(channel, "ImageService");
  let hasContainerEvents = true;
  return {
    runtime,
    images,
    imageFiles: (image) => imageFiles(channel, { images, runtime }, image),
    async events(onEvent, signal) {
      if (hasContainerEvents) {
        try {
          return await runtime.getContainerEvents({}, (message) => onEvent(fromCri(message)), { signal });
        } catch (error) {
          if (!(error instanceof GrpcError) || error.code !== GrpcCode.Unimplemented) throw error;
          hasContainerEvents = false;
          log.debug("runtime has no GetContainerEvents, using containerd's event stream");
        }
      }
      return subscribeToContainerd(channel, onEvent, signal);
    },
    close: () => channel.close(),
  };
}

/** An object whose methods are the service's, made from the descriptor table. */
function serviceProxy<Service>(channel: GrpcChannel, name: string): Service {
  const service: Record<string, unknown> = {};
  for (const [method, { requestType, responseType, responseStream }] of Object.entries(table[name]!.methods!)) {
    const path = `/runtime.v1.${name}/${method}`;
    const encode = (request: object): Uint8Array => codec.encode(requestType, request as Record<string, unknown>);
    const call = method.charAt(0).toLowerCase() + method.slice(1);
    service[call] = responseStream
      ? (request: object, onMessage: (message: unknown) => void, options?: CallOptions) => channel.stream(path, encode(request), (bytes) => onMessage(codec.decode(responseType, bytes)), options)
      : async (request: object, options?: CallOptions) => codec.decode(responseType, await channel.unary(path, encode(request), { timeoutMs: defaultTimeoutMs, ...options }));
  }
  return service as Service;
}

const eventTypes: Record<number, RuntimeEvent["type"]> = {
  [ContainerEventType.CONTAINER_CREATED_EVENT]: "created",
  [ContainerEventType.CONTAINER_STARTED_EVENT]: "started",
  [ContainerEventType.CONTAINER_STOPPED_EVENT]: "exited",
  [ContainerEventType.CONTAINER_DELETED_EVENT]: "removed",
};

function fromCri(message: ContainerEventResponse): RuntimeEvent {
  return { id: message.containerId ?? "", type: eventTypes[message.containerEventType ?? 0] ?? "created" };
}
