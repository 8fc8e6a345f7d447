import type { Status } from "../framework.ts";
import type { NodeInfo } from "../node-info.ts";
import type { PodInfo } from "../pod-info.ts";
import type { Candidate } from "../preemption/candidates.ts";
import type { Snapshot } from "../snapshot.ts";
import { wait, type Steps } from "../steps.ts";
import type { Extender } from "./extender.ts";

/** What several extenders make of a decision, one after another. Source: kubernetes pkg/scheduler/schedule_one.go and framework/preemption. */

/** Stands among the plugins that rejected a pod for all extenders: any change may end it. */
export const extenderName = "Extender";

/** Those that must not fail go first. */
export const inOrder = <T extends { readonly ignorable: boolean }>(extenders: readonly T[]): T[] => [...extenders.filter(({ ignorable }) => !ignorable), ...extenders.filter(({ ignorable }) => ignorable)];

/** The nodes that pass all, and are still there; `statuses` gets why others don't. */
export function* passExtenders(extenders: readonly Extender[], pod: PodInfo, nodes: readonly NodeInfo[], snapshot: Snapshot, statuses: Map<string, Status>): Steps<readonly NodeInfo[]> {
  let left = nodes;
  for (const extender of extenders) {
    if (left.length === 0) break;
    if (!extender.calls.filter) continue;
    const result = yield* tolerantly(extender, "filter", pod, extender.filter(pod, left));
    if (!result) continue;
    for (const [name, status] of result.failed) statuses.set(name, status);
    left = stillThere(result.passed, snapshot);
  }
  return left;
}

/** What extenders add to the nodes' scores, by name. One that fails adds nothing. */
export async function extenderScores(extenders: readonly Extender[], pod: PodInfo, nodes: readonly NodeInfo[]): Promise<Map<string, number>> {
  const sums = new Map<string, number>();
  const results = await Promise.all(extenders.map((extender) => extender.prioritize(pod, nodes).catch((error: unknown) => {
    extender.log.debug("An extender gives no scores", { extender: extender.url, pod: pod.key, error });
    return new Map<string, number>();
  })));
  for (const scores of results) for (const [name, score] of scores) sums.set(name, (sums.get(name) ?? 0) + score);
  return sums;
}

/** While an extender was asked the cluster went on. */
export const stillThere = (nodes: readonly NodeInfo[], snapshot: Snapshot): NodeInfo[] => nodes.flatMap(({ name }) => snapshot.node(name) ?? []);

/** What they leave of the candidates, with the victims they want. */
export function* preemptWithExtenders(extenders: readonly Extender[], pod: PodInfo, candidates: readonly Candidate[], snapshot: Snapshot): Steps<readonly Candidate[]> {
  let left = candidates;
  for (const extender of extenders) {
    if (left.length === 0) break;
    const result = yield* tolerantly(extender, "preempt", pod, extender.preempt(pod, left, snapshot));
    if (!result) continue;
    const empty = result.find(({ victims }) => victims.length === 0);
    if (empty && !extender.ignorable) throw new Error(`expected at least one victim pod on node ${JSON.stringify(empty.nodeName)}`);
    left = result.filter(({ victims }) => victims.length > 0);
  }
  return left;
}

/** False when no extender has bound the pod and the plugins are to. */
export async function bindByExtender(extenders: readonly Extender[], pod: PodInfo, nodeName: string): Promise<boolean> {
  for (const extender of extenders) {
    if (!extender.calls.bind) continue;
    try {
      await extender.bind(pod, nodeName);
      return true;
    } catch (error) {
      noteOrThrow(extender, "bind", pod, error);
    }
  }
  return false;
}

/** Undefined when the call has failed and that may be ignored. */
function* tolerantly<T>(extender: Extender, call: string, pod: PodInfo, answer: Promise<T>): Steps<T | undefined> {
  try {
    return yield* wait(answer);
  } catch (error) {
    noteOrThrow(extender, call, pod, error);
    return undefined;
  }
}

function noteOrThrow({ ignorable, log, url }: Extender, call: string, pod: PodInfo, error: unknown): void {
  if (!ignorable) throw error;
  log.info("Skipping extender as it returned error and has ignorable flag set", { extender: url, call, pod: pod.key, error });
}
