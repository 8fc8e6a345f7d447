import type { Clock } from "../../src/base/clock.ts";
import type { Logger } from "../../src/base/log.ts";
import type { KubeletSettings } from "../../src/apis/kubeletconfig/kubelet-settings.ts";
import type { EventRecorder } from "../../src/client/recorder.ts";
import type { ContainerRuntime } from "../cri/cri.ts";
import { Eviction } from "./eviction/eviction.ts";
import { removeEndedContainers } from "./eviction/reclaim.ts";
import { defaultThresholds, parseThresholds, type Pressure } from "./eviction/thresholds.ts";
import type { Rejection } from "./pod/admission.ts";
import { isTerminal, type Pod } from "./pod/pod.ts";
import type { PodWorkers } from "./pod/pod-workers.ts";
import type { Verdict } from "./pod/verdict.ts";
import { shutdownPeriods } from "./shutdown/plan.ts";
import { GracefulShutdown, type ShutdownOptions } from "./shutdown/shutdown.ts";
import type { PodStatuses } from "./static-pods/mirrored-statuses.ts";
import { diskUsage } from "./stats/disk-usage.ts";
import { PodDisks } from "./stats/pod-disk.ts";
import type { Stats } from "./stats/stats.ts";

export interface NodeProtectionOptions {
  settings: KubeletSettings;
  clock: Clock;
  log: Logger;
  recorder: EventRecorder;
  runtime: ContainerRuntime;
  nodeName: string;
  rootDir: string;
  logDir: string;
  stats: Pick<Stats, "node">;
  /** Deletes all images that nothing needs. */
  deleteUnusedImages(): Promise<void>;
  volumes(uid: string): ReadonlyMap<string, { path: string }>;
  workers: PodWorkers;
  statuses: PodStatuses;
  logind?: ShutdownOptions["logind"];
  /** The node is to be told of: it is short of something, or going down, or not any more. */
  onChange(): void;
}

/** What keeps the node alive at the expense of its pods, and gives them time when it can't be. */
export interface NodeProtection {
  pressures(): readonly Pressure[];
  /** Why the node is not ready; undefined while nothing is the matter. */
  goingDown(): string | undefined;
  /** What speaks against a pod that comes now. */
  gate(pod: Pod): Rejection | undefined;
  run(signal: AbortSignal): Promise<void>;
  /** To be awaited before this process ends. */
  beforeEnd(): Promise<void>;
}

/** How long a last word to the API is waited for: it may be out of reach, and the machine does not wait for long. */
const lastWordMs = 2000;

/** Throws an Error that names the first mistake in the settings. */
export function protectNode({ settings, clock, log, recorder, runtime, nodeName, rootDir, logDir, stats, deleteUnusedImages, volumes, workers, statuses, logind, onChange }: NodeProtectionOptions): NodeProtection {
  const pods = (): Pod[] => workers.pods().filter(({ status, metadata }) => !isTerminal(status?.phase) && !isTerminal(statuses.get(metadata.uid!)?.phase));
  const evict = async (uid: string, verdict: Verdict, graceSeconds: number): Promise<void> => workers.get(uid)?.evict(verdict, graceSeconds);
  const hasEnded = (uid: string): boolean => isTerminal(workers.get(uid)?.pod.status?.phase);
  const eviction = new Eviction({
    clock, log, recorder, runtime, nodeName, rootDir, stats: stats.node, pods, onPressure: onChange,
    async evict(uid, verdict, graceSeconds) {
      await evict(uid, verdict, graceSeconds);
      await workers.get(uid)?.reclaimed;
    },
    // Counted afresh: what a limit is compared with must not be a minute old.
    disks: new PodDisks({ usages: { of: diskUsage }, logDir, volumes }),
    thresholds: parseThresholds({
      hard: settings.evictionHard ?? defaultThresholds.hard, soft: settings.evictionSoft, softGracePeriod: settings.evictionSoftGracePeriod,
      minimumReclaim: settings.evictionMinimumReclaim ?? (settings.evictionHard ? [] : defaultThresholds.minimumReclaim),
    }),
    transitionMs: settings.evictionPressureTransitionPeriod, maxPodGraceSeconds: settings.evictionMaxPodGracePeriodSeconds,
    async reclaimDisk() {
      await removeEndedContainers(runtime, hasEnded);
      await deleteUnusedImages();
    },
  });
  const shutdown = new GracefulShutdown({
    clock, log, recorder, nodeName, pods, onChange, ...(logind ? { logind } : {}),
    periods: shutdownPeriods(Math.floor((settings.shutdownGracePeriod ?? 0) / 1000), Math.floor((settings.shutdownGracePeriodCriticalPods ?? 0) / 1000)),
    async evict(uid, verdict, graceSeconds) {
      await evict(uid, verdict, graceSeconds);
      const told = new AbortController();
      await Promise.race([statuses.flushed(uid), clock.sleep(lastWordMs, told.signal).catch(() => undefined)]);
      told.abort();
    },
  });
  return {
    pressures: () => eviction.pressures,
    goingDown: () => shutdown.reason,
    gate: (pod) => shutdown.rejection() ?? eviction.rejection(pod),
    async run(signal) {
      await Promise.all([eviction.run(signal), shutdown.run(signal)]);
    },
    beforeEnd: () => shutdown.beforeEnd(),
  };
}
