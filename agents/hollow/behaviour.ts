import { parseGoDuration } from "../../src/base/go-duration.ts";
import type { Probe } from "../../src/apis/generated/core/v1.ts";
import type { Frozen } from "../../src/apimachinery/meta.ts";
import { isInitContainer, type Container, type Pod } from "../kubelet/pod/pod.ts";
import { commandEnd } from "./commands.ts";

/** How a container ends: with this exit code, so many milliseconds after it began (or after it was asked to). */
export interface End {
  code: number;
  afterMs: number;
}

/** What a container that nobody runs would do. Absent members: it runs until it is stopped, ends at once when it is, and is well. */
export interface Behaviour {
  /** How its first run ends, its second, …; the last stands for all further ones. Undefined: it runs on. */
  runs: readonly (End | undefined)[];
  /** What it does on SIGTERM; undefined when it does not heed it, and is killed at the end of the grace period. */
  onStop: End | undefined;
  /** How long its preStop hook takes, before SIGTERM. */
  preStopMs: number;
  /** How long after its start its startup and its readiness probes pass; undefined for never. */
  startedAfterMs: number | undefined;
  readyAfterMs: number | undefined;
}

/**
 * A pod's annotations say what its containers do, `.<container>` behind the name for one of them, without it for all but init containers:
 * - `hollow.skiff/exit`: `1`, `0 after 30s`, `running`; several, separated by commas, for one run after the other (`1, 1, 0` succeeds at the third)
 * - `hollow.skiff/stop`: on SIGTERM, `143 after 2s`, or `ignored`; otherwise a container ends at once with code 0
 * - `hollow.skiff/ready`: `never`, or after how long it is ready (`5s`); otherwise as soon as its probes begin
 */
const prefix = "hollow.skiff/";

/** Throws an Error that says what is wrong with an annotation. */
export function behaviourOf(pod: Pod, container: Container): Behaviour {
  const [exit, stop, ready] = (["exit", "stop", "ready"] as const).map((name) => annotation(pod, container, name));
  return {
    runs: exit === undefined ? [commandEnd(container)] : exit.split(",").map((text) => (text.trim() === "running" ? undefined : parseEnd(text))),
    onStop: stop === undefined ? { code: 0, afterMs: 0 } : stop.trim() === "ignored" ? undefined : parseEnd(stop),
    preStopMs: hookTime(container),
    startedAfterMs: probeDelay(container.startupProbe),
    readyAfterMs: ready === undefined ? probeDelay(container.readinessProbe) : ready.trim() === "never" ? undefined : parseGoDuration(ready.trim()),
  };
}

/** How the run after so many restarts ends. */
export const runOf = ({ runs }: Behaviour, restarts: number): End | undefined => runs[Math.min(restarts, runs.length - 1)];

function annotation(pod: Pod, container: Container, name: string): string | undefined {
  const own = pod.metadata.annotations?.[`${prefix}${name}.${container.name}`];
  return own ?? (isInitContainer(pod, container.name) ? undefined : pod.metadata.annotations?.[`${prefix}${name}`]);
}

function parseEnd(text: string): End {
  const match = /^(\d{1,3})(?:\s+after\s+(\S+))?$/.exec(text.trim());
  if (!match) throw new Error(`not an exit code with a time ("1", "0 after 5s"): ${JSON.stringify(text.trim())}`);
  return { code: Number(match[1]), afterMs: match[2] ? parseGoDuration(match[2]) : 0 };
}

/** Hooks that would need what is in the image, or somebody who answers, take no time. */
function hookTime({ name, lifecycle: { preStop } = {} }: Container): number {
  if (preStop?.sleep) return preStop.sleep.seconds * 1000;
  return preStop?.exec ? commandEnd({ name, command: preStop.exec.command })?.afterMs ?? 0 : 0;
}

/** A probe passes as soon as it is made, but for one that runs `false`. */
function probeDelay(probe: Frozen<Probe> | undefined): number | undefined {
  if (!probe) return 0;
  if (/(^|\/)false$/.test(probe.exec?.command?.[0] ?? "")) return undefined;
  return (probe.initialDelaySeconds ?? 0) * 1000;
}
