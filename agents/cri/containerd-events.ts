import { ProtoCodec } from "../../src/base/grpc/protobuf.ts";
import type { RuntimeEvent } from "./cri.ts";
import type { GrpcChannel } from "../../src/base/grpc/channel.ts";

/** The few messages of containerd's own event service that tell of containers (containerd api/services/events/v1, api/events). */
const codec = new ProtoCodec({
  SubscribeRequest: { fields: { filters: { rule: "repeated", type: "string", id: 1 } } },
  Envelope: { fields: { namespace: { type: "string", id: 2 }, topic: { type: "string", id: 3 }, event: { type: "Any", id: 4 } } },
  Any: { fields: { type_url: { type: "string", id: 1 }, value: { type: "bytes", id: 2 } } },
  TaskEvent: { fields: { container_id: { type: "string", id: 1 } } },
  TaskExit: { fields: { container_id: { type: "string", id: 1 }, id: { type: "string", id: 2 }, exit_status: { type: "uint32", id: 4 } } },
});

const topics: Record<string, RuntimeEvent["type"]> = {
  "/tasks/create": "created", "/tasks/start": "started", "/tasks/exit": "exited", "/tasks/oom": "oom", "/tasks/delete": "removed",
};

/** containerd 1.6 has no GetContainerEvents; its event stream on the same socket says as much. */
export function subscribeToContainerd(channel: GrpcChannel, onEvent: (event: RuntimeEvent) => void, signal: AbortSignal): Promise<void> {
  const request = codec.encode("SubscribeRequest", { filters: Object.keys(topics).map((topic) => `topic==${JSON.stringify(topic)},namespace==k8s.io`) });
  return channel.stream("/containerd.services.events.v1.Events/Subscribe", request, (bytes) => {
    const event = parseEnvelope(bytes);
    if (event) onEvent(event);
  }, { signal });
}

/** Undefined for other topics, and for exits of exec processes, which are not the container's own. */
export function parseEnvelope(bytes: Uint8Array): RuntimeEvent | undefined {
  const envelope = codec.decode("Envelope", bytes) as { topic?: string; event?: { value?: Uint8Array } };
  const type = topics[envelope.topic ?? ""];
  const payload = envelope.event?.value;
  if (!type || !payload) return undefined;
  if (type !== "exited") return { id: String(codec.decode("TaskEvent", payload)["containerId"] ?? ""), type };
  const exit = codec.decode("TaskExit", payload) as { containerId?: string; id?: string; exitStatus?: number };
  if (exit.id && exit.id !== exit.containerId) return undefined;
  return { id: exit.containerId ?? "", type, exitCode: exit.exitStatus ?? 0 };
}
