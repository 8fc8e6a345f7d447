import type { Clock } from "../base/clock.ts";
import type { Extender } from "./extender/extender.ts";
import { bindByExtender } from "./extender/extenders.ts";
import { during, failed, isRejected, messageOf, type AnyPlugin, type Status } from "./framework.ts";
import type { PodInfo } from "./pod-info.ts";
import type { PluginSet } from "./profile.ts";
import type { PluginStates } from "./schedule.ts";
import type { PointDurations } from "./scheduler-metrics.ts";
import type { Verdict, WaitingPodsMap } from "./waiting-pods.ts";

/** A permit plugin can't hold a pod longer. Source: kubernetes framework/runtime (maxTimeout). */
const longestWait = 15 * 60_000;

const stops = "the scheduler stops";

/** A pod on its way to a node that was decided on. */
export interface Binding {
  readonly pod: PodInfo;
  readonly nodeName: string;
  readonly plugins: PluginSet;
  readonly states: PluginStates;
  readonly durations: PointDurations;
  /** Those that the pod is the business of. */
  readonly extenders: readonly Extender[];
}

/** Pods whose preBind runs. */
export class PreBinds {
  readonly #running = new Map<string, AbortController>();
  #closed = false;

  /** False when the pod isn't among them, or not any more. */
  cancel(uid: string, reason: string): boolean {
    const controller = this.#running.get(uid);
    controller?.abort(new Error(reason));
    return controller !== undefined;
  }

  async run(uid: string, work: (signal: AbortSignal) => Promise<Status | undefined>): Promise<Status | undefined> {
    const controller = new AbortController();
    if (this.#closed) return failed(new Error(stops));
    this.#running.set(uid, controller);
    try {
      const status = await work(controller.signal);
      return status ?? (controller.signal.aborted ? failed(controller.signal.reason) : undefined);
    } finally {
      this.#running.delete(uid);
    }
  }

  /** Those that run are cancelled, and no more begin. */
  close(): void {
    this.#closed = true;
    for (const controller of this.#running.values()) controller.abort(new Error(stops));
  }
}

/** The first that says no ends it; what was thrown counts as an error. */
export function runReserve({ pod, nodeName, plugins, states, durations }: Binding): Verdict | undefined {
  return durations.during("Reserve", () => {
    for (const plugin of plugins.reserve) {
      const verdict = judge(plugin, "Reserve", attempt(() => plugin.reserve?.(pod, nodeName, states.get(plugin))));
      if (verdict) return verdict;
    }
    return undefined;
  });
}

export function runUnreserve({ pod, nodeName, plugins, states, durations }: Binding): void {
  durations.during("Unreserve", () => {
    for (const plugin of plugins.reserve.toReversed()) {
      attempt(() => {
        plugin.unreserve?.(pod, nodeName, states.get(plugin));
        return undefined;
      });
    }
    return undefined;
  });
}

/** What the permit plugins say: a verdict against the pod, or for how long which of them want to hold it. */
export function runPermit({ pod, nodeName, plugins, states, durations }: Binding): { verdict?: Verdict; waits: ReadonlyMap<string, number> } {
  const waits = new Map<string, number>();
  const verdict = durations.during("Permit", () => {
    for (const plugin of plugins.permit) {
      const status = attempt(() => plugin.permit!(pod, nodeName, states.get(plugin)));
      if (status?.code === "Wait") waits.set(plugin.name, Math.min(status.timeout ?? longestWait, longestWait));
      else {
        const said = judge(plugin, "Permit", status);
        if (said) return said;
      }
    }
    return undefined;
  });
  return { ...(verdict ? { verdict } : {}), waits };
}

export async function waitOnPermit({ pod, nodeName, durations }: Binding, waits: ReadonlyMap<string, number>, waitingPods: WaitingPodsMap, clock: Clock): Promise<Verdict | undefined> {
  if (waits.size === 0) return undefined;
  const start = clock.monotonic();
  const { status, plugin } = await waitingPods.hold(pod, nodeName, waits);
  durations.permitWaited((clock.monotonic() - start) / 1000, status?.code ?? "Success");
  if (!status) return undefined;
  return { plugin, status: isRejected(status) ? status : { code: "Error", reasons: [`waiting on permit for pod: ${messageOf(status)}`] } };
}

/** The plugins whose preBind will do something. Throws what they throw. */
export function preBindsOf({ pod, nodeName, plugins, states }: Binding): AnyPlugin[] {
  return plugins.preBind.filter((plugin) => {
    const running = `running PreBindPreFlight ${JSON.stringify(plugin.name)}`;
    const status = during(running, () => plugin.preBindPreFlight?.(pod, nodeName, states.get(plugin)));
    if (status && status.code !== "Success" && status.code !== "Skip") throw new Error(`${running}: ${messageOf(status)}`, { cause: status.cause });
    return status?.code !== "Skip";
  });
}

export function runPreBind({ pod, nodeName, states, durations }: Binding, plugins: readonly AnyPlugin[], signal: AbortSignal): Promise<Status | undefined> {
  return durations.duringAsync("PreBind", async () => {
    for (const plugin of plugins) {
      const status = await plugin.preBind!(pod, nodeName, states.get(plugin), signal).catch((error: unknown) => failed(signal.aborted ? signal.reason : error));
      const verdict = judge(plugin, "PreBind", status);
      if (verdict) return verdict.status;
    }
    return undefined;
  });
}

/** An extender that binds goes before the plugins. */
export async function runBind({ pod, nodeName, plugins, durations, extenders }: Binding): Promise<Status | undefined> {
  try {
    if (extenders.length > 0 && (await bindByExtender(extenders, pod, nodeName))) return undefined;
  } catch (error) {
    return failed(error);
  }
  return durations.duringAsync("Bind", async () => {
    for (const plugin of plugins.bind) {
      const status = await plugin.bind!(pod, nodeName).catch(failed);
      if (status?.code === "Skip") continue;
      return judge(plugin, "Bind", status)?.status;
    }
    return failed(new Error("no plugin binds the pod"));
  });
}

export function runPostBind({ pod, nodeName, plugins, states }: Binding): void {
  for (const plugin of plugins.postBind) plugin.postBind!(pod, nodeName, states.get(plugin));
}

function attempt(call: () => Status | undefined): Status | undefined {
  try {
    return call();
  } catch (error) {
    return failed(error);
  }
}

function judge({ name }: AnyPlugin, point: string, status: Status | undefined): Verdict | undefined {
  if (status === undefined || status.code === "Success") return undefined;
  return { plugin: name, status: isRejected(status) ? status : { ...status, code: "Error", reasons: [`running ${point} plugin ${JSON.stringify(name)}: ${messageOf(status)}`] } };
}
