import type { Clock } from "../base/clock.ts";
import { logger, type Logger } from "../base/log.ts";
import { namespaces, nodes, pods } from "../apis/builtins.ts";
import type { KubeObject } from "../apimachinery/meta.ts";
import type { ResourceCard } from "../apimachinery/resource.ts";
import type { Client } from "../client/client.ts";
import type { InformerFactory, Lister } from "../client/informer.ts";
import type { EventRecorder } from "../client/recorder.ts";
import { Attempts, type RunningProfile } from "./attempts.ts";
import { PreBinds } from "./binding-cycle.ts";
import { eventCards } from "./cluster-events.ts";
import { handleEvents, resourcesOf } from "./event-handlers.ts";
import { createExtender } from "./extender/extender.ts";
import { inOrder } from "./extender/extenders.ts";
import type { Handle, PluginFactory, SchedulerConfiguration } from "./framework.ts";
import { instrumented } from "./instrumented-plugin.ts";
import { PodNominator } from "./nominator.ts";
import { defaultProfile, pluginRegistry } from "./plugins/index.ts";
import { createProfile } from "./profile.ts";
import { SchedulingQueue } from "./queue.ts";
import { createSchedulerMetrics, PointDurations, type SchedulerMetrics } from "./scheduler-metrics.ts";
import { ClusterState } from "./snapshot.ts";
import { WaitingPodsMap } from "./waiting-pods.ts";

export interface SchedulerOptions {
  client: Client;
  informers: InformerFactory;
  /** A recorder whose component is the name of a scheduler. */
  recorderFor(schedulerName: string): EventRecorder;
  clock: Clock;
  log?: Logger;
  metrics?: SchedulerMetrics;
  /** Default: one profile, `default-scheduler`, with the default plugins. Pods that name none of the profiles are left alone. */
  configuration?: SchedulerConfiguration;
  /** Plugins by name. Default: all there are. */
  plugins?: Readonly<Record<string, PluginFactory>>;
  random?: () => number;
}

export interface Scheduler {
  readonly name: string;
  /** Finds nodes for pods until `signal` aborts; resolves when no binding is under way. */
  run(signal: AbortSignal): Promise<void>;
}

/** Writes under way at once: enough for them to share commits. */
const writeLimit = 64;
/** Decisions are made in one go for so long, in milliseconds; then others have their turn. */
const timeSlice = 5;

const defaultConfiguration: SchedulerConfiguration = { profiles: [defaultProfile()] };

/**
 * kube-scheduler: takes pods without a node in their order, decides where they go as a pure function of the cluster's state, counts them
 * there at once, and binds them while the next is decided.
 */
export function createScheduler(options: SchedulerOptions): Scheduler {
  const { client, informers, recorderFor, clock, log = logger("scheduler"), metrics = createSchedulerMetrics(), configuration = defaultConfiguration, plugins = pluginRegistry, random = Math.random } = options;
  const cards = new Set<ResourceCard<never>>([nodes, pods] as never[]);
  const lister = <T extends KubeObject>(card: ResourceCard<T>): Lister<T> => {
    cards.add(card as never);
    return informers.informer(card).lister;
  };
  const state = clusterState(lister);
  const nominator = new PodNominator();
  const waitingPods = new WaitingPodsMap(clock);
  const preBinds = new PreBinds();
  const stopping = new AbortController();
  const extenders = inOrder(configuration.extenders ?? []).map((extender) => createExtender(extender, { signal: stopping.signal, log }));
  const handleFor = (profileName: string, recorder: EventRecorder): Handle => ({
    profileName, client, clock, recorder, log, metrics, lister, snapshot: state, nominator, waitingPods,
    cancelPreBind: (uid, reason) => preBinds.cancel(uid, reason),
    backOff: (pod) => queue.backOff(pod),
    inBackground: (work) => attempts.inBackground(work),
  });
  const profiles = new Map(configuration.profiles.map((profile): [string, RunningProfile] => {
    const recorder = recorderFor(profile.schedulerName);
    const created = createProfile(profile, plugins, handleFor(profile.schedulerName, recorder));
    return [created.name, { ...created, recorder, sampled: instrumented(created.plugins, metrics), durations: new PointDurations(metrics, created.name) }];
  }));
  for (const resource of resourcesOf(profiles)) cards.add(eventCards[resource] as never);

  const { podInitialBackoffSeconds = 1, podMaxBackoffSeconds = 10, percentageOfNodesToScore = 0 } = configuration;
  const [sorter] = [...profiles.values()][0]!.plugins.queueSort;
  const queue: SchedulingQueue = new SchedulingQueue({
    clock, profiles, nominator, metrics, sort: (a, b) => sorter!.queueSort!(a, b), backoff: { initial: podInitialBackoffSeconds * 1000, max: podMaxBackoffSeconds * 1000 },
  });
  const attempts: Attempts = new Attempts({ client, clock, log, metrics, profiles, percentageOfNodesToScore, extenders, pods: lister(pods), state, queue, nominator, waitingPods, preBinds, random });
  metrics.watch({ pending: () => pendingPods(queue), cache: () => Object.entries(state.sizes()).map(([type, size]) => [[type === "assumed" ? "assumed_pods" : type], size]) });

  async function work(): Promise<void> {
    let sliceEnds = performance.now() + timeSlice;
    for (let entry = await queue.take(); entry; entry = await queue.take()) {
      const asking = attempts.begin(entry);
      if (asking) await asking;
      await attempts.fewerWritesThan(writeLimit);
      if (performance.now() < sliceEnds) continue;
      await new Promise<void>((resolve) => setImmediate(resolve));
      sliceEnds = performance.now() + timeSlice;
    }
  }

  return {
    name: "scheduler",
    async run(signal) {
      const close = (): void => {
        attempts.stop();
        stopping.abort(new Error("the scheduler stops"));
        queue.close();
        waitingPods.close();
        preBinds.close();
      };
      signal.addEventListener("abort", close, { once: true });
      if (signal.aborted) close();
      const unsubscribe = handleEvents({ informers, state, queue, waitingPods, profiles });
      try {
        await Promise.all([...cards].map((card) => informers.informer(card).synced(signal)));
        await work();
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        signal.removeEventListener("abort", close);
        unsubscribe();
        await attempts.idle();
      }
    },
  };
}

/** The cluster, as plugins look at it beyond nodes and pods. */
function clusterState(lister: Handle["lister"]): ClusterState {
  const namespaceLister = lister(namespaces);
  return new ClusterState({ namespaceLabels: (name) => namespaceLister.get(name)?.metadata.labels });
}

function pendingPods(queue: SchedulingQueue): (readonly [string[], number])[] {
  const { active, backoff, unschedulable, gated } = queue.sizes();
  return Object.entries({ active, backoff, unschedulable, gated }).map(([name, size]) => [[name], size]);
}
