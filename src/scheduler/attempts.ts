import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { keyOf } from "../apimachinery/meta.ts";
import { isNamespaceTerminating, isNotFound } from "../apimachinery/status.ts";
import type { Pod } from "../apis/generated/core/v1.ts";
import type { Client } from "../client/client.ts";
import type { Lister } from "../client/informer.ts";
import type { EventRecorder } from "../client/recorder.ts";
import { preBindsOf, runBind, runPermit, runPostBind, runPreBind, runReserve, runUnreserve, waitOnPermit, type Binding, type PreBinds } from "./binding-cycle.ts";
import { assignedTo } from "./cluster-events.ts";
import type { Extender } from "./extender/extender.ts";
import { fitError, noNodesAvailable } from "./failure-message.ts";
import { failed, isRejected, messageOf, unresolvable, type Status } from "./framework.ts";
import { KnownFailures } from "./known-failures.ts";
import type { PodNominator } from "./nominator.ts";
import { podInfo, type PodInfo } from "./pod-info.ts";
import type { PluginSet, Profile } from "./profile.ts";
import type { SchedulingQueue } from "./queue.ts";
import type { QueuedPod } from "./queued-pod.ts";
import { reportFailure, reportNomination, truncated, type Failure } from "./report.ts";
import { runPostFilters, schedule } from "./schedule.ts";
import type { PointDurations, SchedulerMetrics } from "./scheduler-metrics.ts";
import type { ClusterState } from "./snapshot.ts";
import { run, type Steps } from "./steps.ts";
import type { Verdict, WaitingPodsMap } from "./waiting-pods.ts";

/** A profile with what its attempts use. */
export interface RunningProfile extends Profile {
  /** The same plugins, timed. */
  readonly sampled: PluginSet;
  readonly durations: PointDurations;
  readonly recorder: EventRecorder;
}

export interface AttemptsOptions {
  client: Client;
  clock: Clock;
  log: Logger;
  metrics: SchedulerMetrics;
  profiles: ReadonlyMap<string, RunningProfile>;
  percentageOfNodesToScore: number;
  /** Those that must not fail first. */
  extenders: readonly Extender[];
  pods: Lister<Pod>;
  state: ClusterState;
  queue: SchedulingQueue;
  nominator: PodNominator;
  waitingPods: WaitingPodsMap;
  preBinds: PreBinds;
  random: () => number;
}

/** What became of an attempt that failed; with `rejectors` it was judged, else something went wrong. */
interface Outcome extends Failure {
  rejectors?: ReadonlySet<string>;
  pending?: ReadonlySet<string>;
  cause?: unknown;
}

/** Stands for a rejection by no plugin in particular: any change may end it. */
const anyone: ReadonlySet<string> = new Set([""]);
const nobody: ReadonlySet<string> = new Set();

/** So many of the attempts have each plugin timed. Source: kube-scheduler's pluginMetricsSamplePercent. */
const sampleShare = 0.1;
/** A failure that stays the same is told again after so long. */
const tellAgainAfter = 5 * 60_000;

/** Tries pods: decides at once, and takes them to their node in the background. Source: kubernetes pkg/scheduler/schedule_one.go. */
export class Attempts {
  readonly #options: AttemptsOptions;
  /** All that is under way, and of it what is being written. */
  readonly #underWay = new Set<Promise<void>>();
  readonly #writes = new Set<Promise<unknown>>();
  readonly #known = new KnownFailures<Outcome>();
  #start = 0;
  #stopped = false;

  constructor(options: AttemptsOptions) {
    this.#options = options;
  }

  /** From now on nothing is said of pods that are given up: the next scheduler takes them on. */
  stop(): void {
    this.#stopped = true;
  }

  /** Resolves as soon as fewer than `limit` writes are under way. */
  async fewerWritesThan(limit: number): Promise<void> {
    while (this.#writes.size >= limit) await Promise.race(this.#writes);
  }

  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  inBackground(work: Promise<void>): void {
    const guarded: Promise<void> = work.catch((error: unknown) => this.#options.log.warn("Work for a pod failed", { error })).finally(() => this.#underWay.delete(guarded));
    this.#underWay.add(guarded);
  }

  /** Decides. What follows is done in the background. A promise, which doesn't reject, only while extenders are asked. */
  begin(entry: QueuedPod): void | Promise<void> {
    const { profiles, queue, random } = this.#options;
    const profile = profiles.get(entry.pod.spec.schedulerName!)!;
    const { metadata } = entry.pod;
    if (metadata.deletionTimestamp) {
      profile.recorder.event(entry.pod, "Warning", "FailedScheduling", `skip schedule deleting pod: ${metadata.namespace}/${metadata.name}`);
      return queue.remove(entry.uid);
    }
    try {
      const deciding = run(this.#attempt(new Attempt(entry, profile, random() < sampleShare ? profile.sampled : profile.plugins, this.#options.extenders)));
      return deciding?.catch((error: unknown) => this.#giveUp(entry, error));
    } catch (error) {
      this.#giveUp(entry, error);
    }
  }

  #giveUp(entry: QueuedPod, error: unknown): void {
    const { queue, state, log } = this.#options;
    log.error("An attempt to schedule a pod failed in an unexpected way", { pod: keyOf(entry.pod), error });
    state.forget(entry.uid);
    queue.retryLater(entry);
  }

  *#attempt(attempt: Attempt): Steps<void> {
    try {
      yield* this.#decide(attempt);
    } catch (error) {
      this.#fail(attempt, { reason: "SchedulerError", message: messageOf(failed(error)), nominate: "", cause: error });
    }
  }

  *#decide(attempt: Attempt): Steps<void> {
    const { state, nominator, metrics, queue, percentageOfNodesToScore, random } = this.#options;
    const { entry, pod, plugins, profile, extenders } = attempt;
    const { durations } = profile;
    if (state.nodes.length === 0) return this.#fail(attempt, { reason: "Unschedulable", message: noNodesAvailable, rejectors: anyone, nominate: "" });
    // A pod that has been promised a node isn't like the others, and extenders may tell any two apart.
    const signature = nominator.nodeOf(pod.uid) === undefined && extenders.length === 0 ? entry.signature : undefined;
    const known = this.#known.get(signature, this.#version);
    if (known) return this.#fail(attempt, known);
    const decision = yield* schedule(pod, state, plugins, { nominator, start: this.#start, random, durations, extenders, percentageOfNodesToScore: profile.percentageOfNodesToScore ?? percentageOfNodesToScore });
    this.#start = (this.#start + decision.evaluated) % Math.max(1, state.nodes.length);
    // While extenders were asked the pod may have left: it is gone, or another has bound it.
    if (queue.get(entry.uid) !== entry) return;
    if (decision.fits) {
      metrics.algorithmDuration.observe(attempt.seconds);
      return this.#assume(attempt, { pod, nodeName: decision.nodeName, plugins, states: decision.states, durations, extenders });
    }
    const { diagnosis } = decision;
    const since = performance.now();
    const said = plugins.postFilter.length > 0 ? yield* runPostFilters(pod, state, decision, plugins.postFilter, extenders) : { nominate: "", message: "" };
    durations.observe("PostFilter", since, said.nominate ? "Success" : "Unschedulable");
    metrics.algorithmDuration.observe(attempt.seconds);
    const outcome: Outcome = {
      reason: "Unschedulable", message: fitError({ ...diagnosis, postFilter: said.message }), rejectors: diagnosis.rejectors, pending: diagnosis.pending,
      ...(said.nominate !== undefined ? { nominate: said.nominate } : {}),
    };
    if (!said.nominate) this.#known.add(signature, outcome);
    this.#fail(attempt, outcome);
  }

  /** Of all that decisions depend on: what plugins read beyond nodes, pods and promises comes with events. */
  get #version(): number {
    const { state, nominator, queue } = this.#options;
    return state.version + nominator.version + queue.version;
  }

  /** Counts the pod on the node from now on. */
  #assume(attempt: Attempt, binding: Binding): void {
    const { state, nominator, queue } = this.#options;
    state.assume(binding.pod, binding.nodeName);
    nominator.delete(binding.pod.uid);
    const reserved = runReserve(binding);
    const { verdict, waits } = reserved ? { verdict: reserved, waits: new Map<string, number>() } : runPermit(binding);
    if (verdict) {
      runUnreserve(binding);
      state.forget(binding.pod.uid);
      return this.#fail(attempt, outcomeOf(verdict, binding.nodeName));
    }
    if (waits.size === 0) queue.done(attempt.entry);
    this.inBackground(this.#bind(attempt, binding, waits));
  }

  async #bind(attempt: Attempt, binding: Binding, waits: ReadonlyMap<string, number>): Promise<void> {
    const { entry } = attempt;
    const outcome = await this.#tryToBind(attempt, binding, waits).catch((error: unknown): Outcome => ({ reason: "SchedulerError", message: messageOf(failed(error)), cause: error }));
    if (!outcome) return this.#bound(attempt, binding);
    const { state, queue } = this.#options;
    runUnreserve(binding);
    const freed = state.forget(entry.uid);
    this.#fail(attempt, { ...outcome, nominate: "" });
    // The pod itself was judged: its own going doesn't help it.
    if (freed) queue.moveOn({ resource: "AssignedPod", action: "Delete", old: assignedTo(binding.pod.pod, binding.nodeName) }, ({ metadata }) => metadata.uid !== entry.uid);
  }

  /** Undefined when the pod is bound. */
  async #tryToBind({ entry }: Attempt, binding: Binding, waits: ReadonlyMap<string, number>): Promise<Outcome | undefined> {
    const { waitingPods, clock, queue, preBinds } = this.#options;
    const { pod, nodeName } = binding;
    const preparing = preBindsOf(binding);
    const waiting = waitOnPermit(binding, waits, waitingPods, clock);
    if (preparing.length > 0 || waits.size > 0) await this.#announce(entry, nodeName);
    const verdict = await waiting;
    if (verdict) return outcomeOf(verdict, nodeName);
    queue.done(entry);
    const status = (preparing.length > 0 ? await preBinds.run(pod.uid, (signal) => runPreBind(binding, preparing, signal)) : undefined) ?? (await this.#write(this.#writeBinding(entry, binding)));
    return status && { reason: isRejected(status) ? "Unschedulable" : "SchedulerError", message: messageOf(status), cause: status.cause };
  }

  /** What is being said of the pod must not come after its binding. */
  async #writeBinding(entry: QueuedPod, binding: Binding): Promise<Status | undefined> {
    await entry.told;
    return runBind(binding);
  }

  /** Lets others, such as autoscalers, know of the node before something that may take long. It isn't worth failing for. */
  async #announce(entry: QueuedPod, nodeName: string): Promise<void> {
    const { client, log } = this.#options;
    await entry.told;
    await reportNomination(entry.pod, nodeName, client).catch((error: unknown) => log.warn("Saying which node a pod is about to get failed", { pod: entry.uid, error }));
  }

  #bound({ entry, profile, seconds }: Attempt, binding: Binding): void {
    const { metrics, clock } = this.#options;
    profile.recorder.event(entry.pod, "Normal", "Scheduled", `Successfully assigned ${binding.pod.key} to ${binding.nodeName}`);
    metrics.scheduleAttempts.inc(["scheduled", profile.name]);
    metrics.attemptDuration.observe(seconds, ["scheduled", profile.name]);
    metrics.attempts.observe(entry.attempts);
    metrics.sliDuration.observe((clock.monotonic() - (entry.firstTried ?? entry.timestamp)) / 1000, [entry.attempts >= 15 ? "15+" : String(entry.attempts)]);
    if (entry.flushed) metrics.scheduledAfterFlush.inc();
    runPostBind(binding);
  }

  /** Puts the pod back into the queue, and says why. A pod that has left the queue is past caring. */
  #fail({ entry, profile, seconds }: Attempt, { rejectors, pending = nobody, cause, ...failure }: Outcome): void {
    const { metrics, queue, nominator, log } = this.#options;
    const result = failure.reason === "Unschedulable" ? "unschedulable" : "error";
    metrics.scheduleAttempts.inc([result, profile.name]);
    metrics.attemptDuration.observe(seconds, [result, profile.name]);
    const waits = rejectors && rejectors.size > 0 ? queue.reject(entry, rejectors, pending) : queue.retryLater(entry);
    if (!waits || this.#stopped) return;
    const { pod } = entry;
    if (failure.nominate || pod.status?.nominatedNodeName || nominator.nodeOf(entry.uid)) nominator.set(podInfo(pod), failure.nominate);
    if (isNotFound(cause)) return;
    if (cause !== undefined) log[isNamespaceTerminating(cause) ? "debug" : "warn"]("Scheduling a pod failed, will try again", { pod: keyOf(pod), error: cause });
    this.#tell(entry, profile, failure);
  }

  /** What is said of a pod is written in the order in which it was found. */
  #tell(entry: QueuedPod, { recorder }: RunningProfile, failure: Failure): void {
    const { client, clock } = this.#options;
    const { pod } = entry;
    const now = clock.monotonic();
    if (failure.message !== entry.lastMessage || now - entry.lastToldAt >= tellAgainAfter) {
      entry.lastMessage = failure.message;
      entry.lastToldAt = now;
      recorder.event(pod, "Warning", "FailedScheduling", truncated(failure.message));
    }
    const told = Promise.resolve(entry.told).then(async () => {
      // What was told last counts, and a pod that is gone or has a node by now needs nothing.
      const latest = this.#options.pods.get(keyOf(pod));
      if (latest?.metadata.uid === entry.uid && !latest.spec.nodeName) await reportFailure(latest, failure, { client, now: clock.now() });
    });
    entry.told = told.catch(() => undefined);
    this.inBackground(this.#write(told));
  }

  #write<T>(work: Promise<T>): Promise<T> {
    // Whoever began the work hears of its failure.
    const counted: Promise<unknown> = work.catch(() => undefined).finally(() => this.#writes.delete(counted));
    this.#writes.add(counted);
    return work;
  }
}

class Attempt {
  readonly entry: QueuedPod;
  readonly profile: RunningProfile;
  readonly plugins: PluginSet;
  readonly pod: PodInfo;
  /** Those that the pod is the business of. */
  readonly extenders: readonly Extender[];
  readonly #since = performance.now();

  constructor(entry: QueuedPod, profile: RunningProfile, plugins: PluginSet, extenders: readonly Extender[]) {
    this.entry = entry;
    this.profile = profile;
    this.plugins = plugins;
    this.pod = podInfo(entry.pod);
    this.extenders = extenders.length === 0 ? extenders : extenders.filter((extender) => extender.isInterested(entry.pod));
  }

  /** Since it began. */
  get seconds(): number {
    return (performance.now() - this.#since) / 1000;
  }
}

/** Of a plugin that changed its mind about a node that had passed the filters. */
function outcomeOf({ status, plugin }: Verdict, nodeName: string): Outcome {
  const { code, cause } = status!;
  if (!isRejected(status!)) return { reason: "SchedulerError", message: messageOf(status!), cause: cause ?? new Error(messageOf(status!)), nominate: "" };
  const rejectors = new Set([plugin]);
  return {
    reason: "Unschedulable", message: fitError({ nodes: 1, statuses: new Map([[nodeName, status!]]), absent: unresolvable() }), rejectors, pending: code === "Pending" ? rejectors : nobody, nominate: "",
  };
}
