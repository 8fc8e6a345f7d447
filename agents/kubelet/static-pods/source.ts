import type { Clock } from "../../../src/base/clock.ts";
import type { Logger } from "../../../src/base/log.ts";
import type { Client } from "../../../src/client/client.ts";
import type { Pod } from "../pod/pod.ts";
import { Manifests } from "./manifests.ts";
import { MirrorPods } from "./mirror-pods.ts";
import { MirroredStatuses, type PodStatuses } from "./mirrored-statuses.ts";

/** The pods a node runs of its own accord, and how the API learns of them. */
export interface StaticPodSource {
  read(): readonly Pod[];
  /** Calls at once, and then whenever there may be something new, until `signal` aborts. */
  follow(onChange: () => void, signal: AbortSignal): Promise<void>;
  readonly mirrors: MirrorPods;
  /** Told of static pods too. */
  readonly statuses: PodStatuses;
}

export interface StaticPodOptions {
  /** Of the files. */
  path: string;
  nodeName: string;
  nodeUid(): string | undefined;
  client: Client;
  clock: Clock;
  log: Logger;
  statuses: PodStatuses;
}

export function staticPodSource({ path, nodeName, nodeUid, client, clock, log, statuses: api }: StaticPodOptions): StaticPodSource {
  const manifests = new Manifests({ path, nodeName, clock, log });
  const statuses = new MirroredStatuses(api);
  const mirrors = new MirrorPods({ client, clock, log, nodeName, nodeUid, onMirror: (uid, mirror) => statuses.mirrored(uid, mirror) });
  return { read: () => manifests.read(), follow: (onChange, signal) => manifests.follow(onChange, signal), mirrors, statuses };
}
