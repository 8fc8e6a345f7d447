import type { Clock } from "../../../src/base/clock.ts";
import type { Logger } from "../../../src/base/log.ts";
import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { Service } from "../../../src/apis/generated/core/v1.ts";
import type { Client } from "../../../src/client/client.ts";
import type { EventRecorder } from "../../../src/client/recorder.ts";
import type { ContainerRuntime } from "../../cri/cri.ts";
import type { PodCgroups } from "../cgroups/cgroups.ts";
import type { DeviceManager } from "../devices/device-manager.ts";
import type { Allocatable } from "../env/resource-field-ref.ts";
import type { ImagePuller } from "../images/image-puller.ts";
import type { ClusterDns, ResolvConf } from "../network/dns.ts";
import type { ProbeManager } from "../probes/probe-manager.ts";
import type { NodeShape } from "../runtime/resources.ts";
import type { PodStatuses } from "../static-pods/mirrored-statuses.ts";
import type { Volumes } from "../volumes/volumes.ts";
import type { Backoff } from "./backoff.ts";
import type { Resizer } from "../resize/resizer.ts";
import type { PodAdmission } from "./pod-admission.ts";
import type { Pod } from "./pod.ts";
import type { References } from "./references.ts";

/** What the workers of all pods share. */
export interface PodContext {
  runtime: ContainerRuntime;
  client: Client;
  recorder: EventRecorder;
  clock: Clock;
  log: Logger;
  nodeName: string;
  nodeIps(): readonly string[];
  nodeShape: NodeShape;
  allocatable(): Allocatable;
  /** Of pods that don't need the API, those known by now. */
  services(wait: boolean): Promise<readonly Frozen<Service>[]>;
  nodeResolvConf(): ResolvConf;
  nodeHosts(): string;
  clusterDns: ClusterDns;
  logDir: string;
  seccompRoot: string;
  cgroups: PodCgroups;
  volumes: Volumes;
  references: References;
  puller: ImagePuller;
  probes: ProbeManager;
  statuses: PodStatuses;
  crashes: Backoff;
  /** The runtime's handler that a RuntimeClass names, "" for none. Throws an Error that says why there is none. */
  runtimeHandler(runtimeClassName: string | undefined): Promise<string>;
  admission: PodAdmission;
  devices: DeviceManager;
  /** Awaited before a pod's containers start, with its sandbox there: the packet filter knows the pod when it resolves. */
  podHasAddresses?(pod: Pod, ips: readonly string[], signal: AbortSignal): Promise<void>;
  resizer: Resizer;
}
