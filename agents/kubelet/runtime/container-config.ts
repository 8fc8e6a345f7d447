import type { ContainerConfig, Device, Mount } from "../../cri/generated/messages.ts";
import type { DeviceGrant } from "../devices/device.ts";
import { expand } from "../env/expansion.ts";
import type { Container, Pod } from "../pod/pod.ts";
import { containerAnnotations, containerLabels } from "./labels.ts";
import { containerResources, type NodeShape } from "./resources.ts";
import { containerSecurityContext, type ImageUser } from "./security-context.ts";

export interface ContainerSettings {
  restartCount: number;
  /** The image by the id or name under which the runtime has it. */
  imageRef: string;
  imageUser: ImageUser;
  env: ReadonlyMap<string, string>;
  mounts: Mount[];
  node: NodeShape;
  seccompRoot: string;
  /** The container whose processes an ephemeral one wants to see. */
  targetId?: string;
  /** What comes with its devices; the container's own variables win. */
  grant: DeviceGrant;
  /** Its volumes that are block devices. */
  volumeDevices: Device[];
}

export function containerConfig(pod: Pod, container: Container, settings: ContainerSettings): ContainerConfig {
  const { env, restartCount, grant } = settings;
  const lookup = (name: string): string | undefined => env.get(name);
  return {
    metadata: { name: container.name, attempt: restartCount },
    image: { image: settings.imageRef, userSpecifiedImage: container.image },
    command: (container.command ?? []).map((word) => expand(word, lookup)),
    args: (container.args ?? []).map((word) => expand(word, lookup)),
    workingDir: container.workingDir ?? "",
    envs: [...new Map([...Object.entries(grant.envs), ...env])].map(([key, value]) => ({ key, value: Buffer.from(value) })),
    mounts: [...settings.mounts, ...grant.mounts.map(({ containerPath, hostPath, readOnly }) => ({ containerPath, hostPath, readonly: readOnly }))],
    devices: [...settings.volumeDevices, ...grant.devices.map((device) => ({ ...device }))],
    CDIDevices: grant.cdiDevices.map((name) => ({ name })),
    labels: containerLabels(pod, container),
    annotations: { ...grant.annotations, ...containerAnnotations(pod, container, restartCount) },
    logPath: containerLogName(container.name, restartCount),
    stdin: container.stdin ?? false, stdinOnce: container.stdinOnce ?? false, tty: container.tty ?? false,
    linux: {
      resources: containerResources(pod, container, settings.node),
      securityContext: containerSecurityContext(pod, container, settings.imageUser, settings),
    },
  };
}

/** Below the pod's folder of logs. */
export const containerLogName = (container: string, restartCount: number): string => `${container}/${restartCount}.log`;
