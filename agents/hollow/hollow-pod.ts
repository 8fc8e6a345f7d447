import { Backoff, crashLoopLimits } from "../kubelet/pod/backoff.ts";
import { computePodActions } from "../kubelet/pod/plan.ts";
import { findContainer, gracePeriodSeconds, initContainers, isHostNetwork, isSidecar, isTerminal, podName, type Container, type Pod } from "../kubelet/pod/pod.ts";
import { containerHash } from "../kubelet/runtime/labels.ts";
import { currentSandbox, latestContainer, latestEnded, type RuntimeContainer, type RuntimePod } from "../kubelet/runtime/runtime-status.ts";
import { goDuration } from "../kubelet/pod/run.ts";
import { podStatus } from "../kubelet/status/pod-status.ts";
import type { Waiting } from "../kubelet/status/container-status.ts";
import type { PodStatus } from "../../src/apis/generated/core/v1.ts";
import { adoptedContainers } from "./adopt.ts";
import { behaviourOf, runOf, type Behaviour } from "./behaviour.ts";
import { ImageShelf } from "./images.ts";

/** The same moment on the wall and by a clock that never jumps, both in milliseconds: for objects, and for delays. */
export interface Moment {
  now: number;
  passed: number;
}

export interface Verdict {
  reason: string;
  message: string;
}

export interface PodSurroundings {
  hostIps: readonly string[];
  images: ImageShelf;
  /** The pod's address; the same one each time. */
  address(): string;
  warn(container: Container | undefined, reason: string, message: string): void;
}

/** What `look` found. */
export interface Look {
  /** To be told to the API, when there is something to tell. */
  status?: PodStatus;
  /** When to look again at the latest, by the clock that never jumps. */
  wakeAt?: number;
  /** All of the pod has ended, and stays so. */
  ended: boolean;
}

/** What the runtime would not tell of a running container: when it ends, and how. */
interface Run {
  behaviour: Behaviour;
  startedAt: number;
  end?: { at: number; code: number; reason?: string };
  stopping?: boolean;
  /** So long after the end of the pod's grace period it is killed: a hook may use the period up. */
  reprieve?: number;
}

/** Between SIGTERM and SIGKILL, in milliseconds, at the least. */
const leastGrace = 2000;

/** More steps than any pod has in one moment. */
const mostSteps = 1000;

/**
 * One pod that is only imagined: the containers and sandboxes a runtime would have, driven by the kubelet's own plan and shown by the kubelet's
 * own status. Nothing happens between looks: what a look finds due has happened at that moment.
 */
export class HollowPod {
  readonly #around: PodSurroundings;
  #pod: Pod;
  #runtime: RuntimePod & { sandboxes: RuntimePod["sandboxes"][number][]; containers: RuntimeContainer[] };
  readonly #runs = new Map<string, Run>();
  /** When containers ended, by id, on the clock that never jumps. */
  readonly #endedAt = new Map<string, number>();
  readonly #waiting = new Map<string, Waiting>();
  /** Until when the failure of a container's pull is shown. */
  readonly #failing = new Map<string, number>();
  readonly #crashes = new Backoff(crashLoopLimits);
  #verdict: Verdict | undefined;
  /** Since when the pod is on this node. */
  readonly #since: number;
  #killAt: number | undefined;
  #grace: number | undefined;
  #completed = false;
  #ready: boolean | undefined;
  #wakeAt = Infinity;

  constructor(pod: Pod, around: PodSurroundings, at: Moment) {
    this.#pod = pod;
    this.#around = around;
    const { uid, name, namespace } = pod.metadata;
    const startTime = pod.status?.startTime;
    this.#since = startTime ? at.passed - Math.max(0, at.now - Date.parse(startTime)) : at.passed;
    this.#runtime = { uid: uid!, name: name!, namespace: namespace!, sandboxes: [], containers: adoptedContainers(pod) };
    if (this.#runtime.containers.length > 0) this.#adoptIn(this.#addSandbox(0, at));
    for (const container of this.#runtime.containers) {
      if (container.state === "running") this.#begin(container, at.passed - Math.max(0, at.now - container.startedAt));
      else this.#endedAt.set(container.id, at.passed - Math.max(0, at.now - container.finishedAt));
    }
  }

  /** Ends the pod as a kubelet would by itself (eviction, say): it is Failed, for this reason. */
  fail(verdict: Verdict): void {
    this.#verdict ??= verdict;
  }

  /** What its readiness probes say; undefined: as it behaves. */
  setReady(ready: boolean | undefined): void {
    this.#ready = ready;
  }

  /** The container ends by itself, at the next look. False when it is not running. */
  exit(container: string, code: number, reason?: string): boolean {
    const running = latestContainer(this.#runtime, container);
    const run = running && this.#runs.get(running.id);
    if (run) run.end = { at: -Infinity, code, ...(reason ? { reason } : {}) };
    return run !== undefined;
  }

  /** Brings the pod to this moment. */
  look(pod: Pod, told: PodStatus | undefined, at: Moment): Look {
    this.#pod = pod;
    this.#wakeAt = Infinity;
    this.#endDue(at);
    this.#overdue(at);
    if (!this.#ending()) {
      this.#bringUp(at);
      const status = this.#status(told, at, false);
      if (!isTerminal(status.phase)) return { status, ...this.#wake(), ended: false };
      this.#completed = true;
    }
    this.#stop(at);
    if (this.#running().length > 0) return { ...this.#wake(), ended: false };
    this.#runtime.sandboxes = this.#runtime.sandboxes.map((sandbox) => ({ ...sandbox, ready: false }));
    return { status: this.#status(told, at, true), ended: true };
  }

  #wake(): { wakeAt?: number } {
    return this.#wakeAt === Infinity ? {} : { wakeAt: this.#wakeAt };
  }

  #ending(): boolean {
    return this.#completed || this.#verdict !== undefined || this.#pod.metadata.deletionTimestamp !== undefined || isTerminal(this.#pod.status?.phase);
  }

  #overdue(at: Moment): void {
    const { activeDeadlineSeconds } = this.#pod.spec;
    if (activeDeadlineSeconds === undefined || this.#ending()) return;
    const deadline = this.#since + activeDeadlineSeconds * 1000;
    if (at.passed < deadline) return this.#wakeBy(deadline);
    this.fail({ reason: "DeadlineExceeded", message: "Pod was active on the node longer than the specified deadline" });
  }

  #bringUp(at: Moment): void {
    for (let step = 0; step < mostSteps; step++) {
      const actions = computePodActions(this.#pod, this.#runtime, {
        now: at.passed,
        probes: (id) => (this.#hasStarted(id, at) ? { startup: "success" } : {}),
        backOffRemaining: (container) => this.#backOff(container, at),
      });
      let changed = actions.createSandbox;
      if (actions.createSandbox) this.#addSandbox(actions.attempt, at);
      for (const { container } of actions.kill) changed = this.#end(container, { code: this.#runs.get(container.id)?.behaviour.onStop?.code ?? 137 }, at);
      for (const { container, until } of actions.backOff) this.#waitForBackOff(container, until);
      for (const container of actions.start) changed = this.#start(container, at) || changed;
      this.#endDue(at);
      if (!changed) return;
    }
  }

  /** Returns its id. */
  #addSandbox(attempt: number, { now }: Moment): string {
    const hostNetwork = isHostNetwork(this.#pod), id = newId();
    this.#runtime.sandboxes.unshift({ id, ready: true, attempt, createdAt: now, ips: hostNetwork ? [] : [this.#around.address()], hostNetwork });
    return id;
  }

  #adoptIn(sandboxId: string): void {
    this.#runtime.containers = this.#runtime.containers.map((container) => ({ ...container, sandboxId }));
  }

  #backOff(container: Container, at: Moment): number {
    const ended = latestEnded(this.#runtime, container.name);
    return ended ? this.#crashes.remaining(crashKey(container), this.#endedAt.get(ended.id) ?? at.passed, at.passed) : 0;
  }

  #waitForBackOff(container: Container, until: number): void {
    this.#wakeBy(until);
    const delay = goDuration(this.#crashes.delay(crashKey(container)));
    this.#waiting.set(container.name, { reason: "CrashLoopBackOff", message: `back-off ${delay} restarting failed container=${container.name} pod=${podName(this.#pod)}` });
  }

  #start(container: Container, at: Moment): boolean {
    const failingUntil = this.#failing.get(crashKey(container)) ?? 0;
    if (failingUntil > at.passed) {
      this.#wakeBy(failingUntil);
      return false;
    }
    const image = this.#around.images.find(container, this.#waiting.get(container.name), (reason, message) => this.#around.warn(container, reason, message));
    if ("waiting" in image) {
      this.#waiting.set(container.name, image.waiting);
      if (image.retryAfter !== undefined) {
        this.#failing.set(crashKey(container), at.passed + image.retryAfter);
        this.#wakeBy(at.passed + image.retryAfter);
      }
      return false;
    }
    const previous = latestContainer(this.#runtime, container.name), ended = latestEnded(this.#runtime, container.name);
    if (ended) this.#crashes.next(crashKey(container), this.#endedAt.get(ended.id) ?? at.passed, at.passed);
    const made: RuntimeContainer = {
      id: newId(), sandboxId: currentSandbox(this.#runtime)!.id, name: container.name, state: "running", createdAt: at.now, startedAt: at.now, finishedAt: 0,
      exitCode: 0, reason: "", message: "", image: container.image!, imageRef: image.reference, logPath: "", hash: containerHash(container), restartCount: previous ? previous.restartCount + 1 : 0,
    };
    this.#waiting.delete(container.name);
    this.#remember(made);
    this.#begin(made, at.passed);
    return true;
  }

  /** Of each container the one that runs and the one before are kept, as a kubelet does. */
  #remember(made: RuntimeContainer): void {
    const older = this.#runtime.containers.filter(({ name }) => name === made.name).slice(1);
    for (const { id } of older) this.#endedAt.delete(id);
    this.#runtime.containers = [made, ...this.#runtime.containers.filter((container) => !older.includes(container))];
  }

  #begin(running: RuntimeContainer, startedAt: number): void {
    const container = findContainer(this.#pod, running.name);
    const behaviour = container ? this.#behaviour(container) : nothingSpecial;
    const end = runOf(behaviour, running.restartCount);
    this.#runs.set(running.id, { behaviour, startedAt, ...(end ? { end: { at: startedAt + end.afterMs, code: end.code } } : {}) });
  }

  #behaviour(container: Container): Behaviour {
    try {
      return behaviourOf(this.#pod, container);
    } catch (error) {
      this.#around.warn(container, "HollowBehaviour", (error as Error).message);
      return nothingSpecial;
    }
  }

  #running(): RuntimeContainer[] {
    return this.#runtime.containers.filter(({ state }) => state === "running");
  }

  /** Lets those end whose time has come. */
  #endDue(at: Moment): void {
    for (const container of this.#running()) {
      const end = this.#runs.get(container.id)?.end;
      if (!end) continue;
      if (end.at <= at.passed) this.#end(container, end, at);
      else this.#wakeBy(end.at);
    }
  }

  #end(container: RuntimeContainer, { code, reason = "" }: { code: number; reason?: string }, at: Moment): boolean {
    this.#runs.delete(container.id);
    this.#endedAt.set(container.id, at.passed);
    const ended: RuntimeContainer = { ...container, state: "exited", exitCode: code, reason, finishedAt: at.now };
    this.#runtime.containers = this.#runtime.containers.map((each) => (each.id === container.id ? ended : each));
    return true;
  }

  /** Stops what runs: sidecars after the others, in the reverse of their order; SIGKILL when the grace period is over. */
  #stop(at: Moment): void {
    const grace = gracePeriodSeconds(this.#pod) * 1000;
    if (this.#grace === undefined || grace < this.#grace) {
      this.#killAt = Math.min(this.#killAt ?? Infinity, at.passed + grace);
      this.#grace = grace;
    }
    const order = initContainers(this.#pod).filter(isSidecar).map(({ name }) => name).toReversed();
    for (let next = this.#nextToStop(order); next.length > 0; next = this.#nextToStop(order)) {
      for (const container of next) this.#stopOne(container, at);
      this.#endDue(at);
      if (next.some(({ id }) => this.#runs.has(id))) return;
    }
  }

  #nextToStop(sidecars: readonly string[]): RuntimeContainer[] {
    const running = this.#running();
    const others = running.filter(({ name }) => !sidecars.includes(name));
    if (others.length > 0) return others;
    const last = sidecars.find((sidecar) => running.some(({ name }) => name === sidecar));
    return running.filter(({ name }) => name === last);
  }

  /** The preStop hook comes first, its time counted; SIGTERM and SIGKILL are some time apart even when it took all there was. */
  #stopOne({ id }: RuntimeContainer, at: Moment): void {
    const run = this.#runs.get(id)!;
    const { onStop, preStopMs } = run.behaviour;
    const left = Math.max(0, this.#killAt! - at.passed);
    const hook = Math.min(preStopMs, left);
    if (!run.stopping) run.reprieve = hook > 0 ? Math.max(0, hook + leastGrace - left) : 0;
    const killed = { at: this.#killAt! + (this.#grace! > 0 ? run.reprieve! : 0), code: 137 };
    const heeded = onStop && !run.stopping ? { at: at.passed + hook + onStop.afterMs, code: onStop.code } : undefined;
    run.stopping = true;
    run.end = [run.end, heeded, killed].filter((end) => end !== undefined).reduce((first, end) => (end.at < first.at ? end : first));
  }

  #hasStarted(id: string, at: Moment): boolean {
    const run = this.#runs.get(id);
    return run !== undefined && this.#passes(run, run.behaviour.startedAfterMs, at);
  }

  #isReady(id: string, at: Moment): boolean {
    const run = this.#runs.get(id);
    if (!run || run.stopping) return false;
    return this.#ready ?? this.#passes(run, run.behaviour.readyAfterMs, at);
  }

  #passes({ startedAt }: Run, afterMs: number | undefined, { passed }: Moment): boolean {
    if (afterMs === undefined) return false;
    if (startedAt + afterMs > passed) this.#wakeBy(startedAt + afterMs);
    return startedAt + afterMs <= passed;
  }

  #status(told: PodStatus | undefined, at: Moment, finished: boolean): PodStatus {
    return podStatus(this.#pod, this.#runtime, {
      now: at.now, hostIps: this.#around.hostIps, podIps: currentSandbox(this.#runtime)?.ips ?? [], finished, ...(this.#verdict ? { verdict: this.#verdict } : {}), ...(told ? { told } : {}),
      waiting: (name) => this.#waiting.get(name), terminationMessage: () => "",
      started: (_, id) => this.#hasStarted(id, at),
      ready: (_, id) => !finished && this.#isReady(id, at),
    });
  }

  #wakeBy(at: number): void {
    this.#wakeAt = Math.min(this.#wakeAt, at);
  }
}

/** A changed container need not wait for the failures of the old one. */
const crashKey = (container: Container): string => `${container.name}/${containerHash(container)}`;

const nothingSpecial: Behaviour = { runs: [undefined], onStop: { code: 0, afterMs: 0 }, preStopMs: 0, startedAfterMs: 0, readyAfterMs: 0 };

const newId = (): string => (crypto.randomUUID() + crypto.randomUUID()).replaceAll("-", "");
