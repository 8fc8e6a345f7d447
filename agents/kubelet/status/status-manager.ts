import type { Clock } from "../../../src/base/clock.ts";
import type { Logger } from "../../../src/base/log.ts";
import { backoffDelay } from "../../../src/base/backoff.ts";
import type { Frozen } from "../../../src/apimachinery/meta.ts";
import { isConflict, isNotFound } from "../../../src/apimachinery/status.ts";
import { pods } from "../../../src/apis/core/pod/pod.ts";
import type { PodCondition, PodStatus } from "../../../src/apis/generated/core/v1.ts";
import type { Client } from "../../../src/client/client.ts";
import { isServerAway } from "../../../src/client/outage.ts";
import type { Pod } from "../pod/pod.ts";
import { isOwnCondition, isToldByKubelet } from "./conditions.ts";

export interface StatusManagerOptions {
  client: Client;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
  /** Each status, beside the one before it. */
  onSet?(before: Frozen<PodStatus> | undefined, after: PodStatus): void;
}

interface Entry {
  pod: Pod;
  status: PodStatus;
  /** What was written last, as text, so that nothing is written twice. */
  written?: string;
  /** Types of conditions and names of fields that the API may have been told: what is known of the object may be from before that. */
  sent: ReadonlySet<string>;
  writing?: Promise<void>;
  /** Ends the wait after a failed write. */
  retry?: AbortController;
}

/** Writes pods' statuses to the API, only when they changed, the newest only, retried until it works or the pod is gone. */
export class StatusManager {
  readonly #entries = new Map<string, Entry>();
  readonly #handlers: ((uid: string) => void)[] = [];
  /** While the server is away one entry tries for all of them: a node with a hundred pods asks no more often than one with a single pod. */
  #outage?: { messenger: Entry; over: PromiseWithResolvers<void> };
  constructor(private readonly options: StatusManagerOptions) {}

  /** Never blocks. */
  set(pod: Pod, status: PodStatus): void {
    const uid = pod.metadata.uid!, known = this.#entries.get(uid);
    this.options.onSet?.(known ? known.status : pod.status, status);
    const entry = known ?? { pod, status, written: pod.status ? canonical(pod.status as PodStatus) : undefined, sent: new Set<string>() };
    entry.pod = pod;
    entry.status = status;
    this.#entries.set(uid, entry);
    entry.writing ??= this.#write(uid, entry);
    for (const handler of this.#handlers) handler(uid);
  }

  /** `handler` hears of each pod whose status is set, or forgotten; it must not block. */
  onChange(handler: (uid: string) => void): void {
    this.#handlers.push(handler);
  }

  /**
   * The API has this version of the pod. Where it says something else of the conditions the kubelet answers for, the kubelet says it again:
   * a node controller that took the node for dead marks its pods as not ready, and nobody else takes that back.
   */
  observed(pod: Pod): void {
    const entry = this.#entries.get(pod.metadata.uid!);
    if (!entry || !contradicts(pod.status?.conditions, entry.status.conditions)) return;
    if (entry.writing) {
      void entry.writing.then(() => this.observed(pod));
      return;
    }
    entry.written = undefined;
    entry.writing = this.#write(pod.metadata.uid!, entry);
  }

  get(uid: string): PodStatus | undefined {
    return this.#entries.get(uid)?.status;
  }

  /** Resolves when the newest status is in the API, or the pod is gone from it. */
  async flushed(uid: string): Promise<void> {
    for (let entry = this.#entries.get(uid); entry?.writing; entry = this.#entries.get(uid)) await entry.writing;
  }

  forget(uid: string): void {
    this.#entries.get(uid)?.retry?.abort();
    this.#entries.delete(uid);
    for (const handler of this.#handlers) handler(uid);
  }

  async #write(uid: string, entry: Entry): Promise<void> {
    const { client, clock, log, signal } = this.options;
    // One turn later, so that changes of the same moment become one write.
    await Promise.resolve();
    for (let failures = 0; !signal.aborted && this.#entries.get(uid) === entry; ) {
      const wanted = canonical(entry.status);
      if (wanted === entry.written) break;
      const { namespace, name } = entry.pod.metadata;
      if (this.#outage && this.#outage.messenger !== entry) {
        const until = this.#untilForgotten(entry);
        await Promise.race([this.#outage.over.promise, new Promise<void>((resolve) => until.addEventListener("abort", () => resolve(), { once: true }))]);
        continue;
      }
      try {
        const status = patchOf(entry), sending = namesIn(entry.status);
        entry.sent = entry.sent.union(sending);
        await client.patch(pods, { namespace, name: name! }, { type: "application/strategic-merge-patch+json", body: { metadata: { uid }, status } }, { subresource: "status", signal });
        entry.sent = sending;
        entry.written = wanted;
        failures = 0;
        this.#answered();
      } catch (error) {
        if (isServerAway(error)) this.#outage ??= { messenger: entry, over: Promise.withResolvers() };
        else this.#answered();
        // Gone, or another pod of that name: there is nobody to tell any more.
        if (isNotFound(error) || (isConflict(error) && (await this.#replaced(entry.pod)))) entry.written = wanted;
        else {
          log[isServerAway(error) ? "debug" : "warn"]("Pod status not written, will try again", { pod: `${namespace}/${name}`, error });
          await clock.sleep(backoffDelay(failures++, { base: 200, max: 10_000, jitter: 0.2 }), this.#untilForgotten(entry)).catch(() => {});
        }
      }
    }
    entry.writing = undefined;
    if (this.#outage?.messenger === entry) this.#answered();
  }

  #untilForgotten(entry: Entry): AbortSignal {
    entry.retry = new AbortController();
    return AbortSignal.any([this.options.signal, entry.retry.signal]);
  }

  #answered(): void {
    this.#outage?.over.resolve();
    this.#outage = undefined;
  }

  /** Whether the name belongs to another pod now. */
  async #replaced({ metadata: { namespace, name, uid } }: Pod): Promise<boolean> {
    const current = await this.options.client.get(pods, { namespace, name: name! }).catch(() => undefined);
    return current !== undefined && current.metadata.uid !== uid;
  }
}

const contradicts = (api: readonly Frozen<PodCondition>[] = [], own: readonly PodCondition[] = []): boolean =>
  own.some((condition) => isOwnCondition(condition) && api.some(({ type, status }) => type === condition.type && status !== condition.status));

const optional = ["reason", "message", "podIP", "podIPs"] as const;

/** What of a status may have to be taken back one day. */
const namesIn = (status: PodStatus): Set<string> => new Set([...optional.filter((key) => status[key] !== undefined), ...(status.conditions ?? []).map(({ type }) => type)]);

/** The new status, with an explicit null for what was there and is no more; lists of addresses are replaced, not merged. */
function patchOf({ pod, status, sent }: Entry): Record<string, unknown> {
  const patch: Record<string, unknown> = { ...status };
  for (const key of optional) if ((pod.status?.[key] !== undefined || sent.has(key)) && status[key] === undefined) patch[key] = null;
  // Conditions are merged by type: others' are left out, and what ours no longer say is taken back.
  const { conditions = [] } = status;
  const told = conditions.filter(isToldByKubelet).map((condition) => ({ ...condition, reason: condition.reason ?? null, message: condition.message ?? null }));
  const known = new Set([...(pod.status?.conditions ?? []).map(({ type }) => type), ...sent]);
  const gone = [...known].filter((type) => isOwnCondition({ type }) && !conditions.some((condition) => condition.type === type));
  patch["conditions"] = [...told, ...gone.map((type) => ({ type, $patch: "delete" }))];
  for (const key of ["podIPs", "hostIPs"] as const) if (status[key]) patch[key] = [...status[key], { $patch: "replace" }];
  return patch;
}

/** Text that is equal for equal statuses, whatever the order of keys and whatever was left empty. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (inner === null) return undefined;
    if (typeof inner !== "object" || Array.isArray(inner)) return inner;
    const entries = Object.entries(inner as Record<string, unknown>).filter(([, each]) => each !== undefined && each !== null).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries);
  });
}
