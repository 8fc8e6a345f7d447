import { concerns, type ClusterEvent, type EventInterest } from "./cluster-events.ts";
import type { Profile } from "./profile.ts";
import type { QueuedPod } from "./queued-pod.ts";

/** skip: it stays where it is · backoff: once its back-off is over · now: without back-off. */
export type Requeue = "skip" | "backoff" | "now";

/** The plugins of each profile that an event concerns, with what they said of such events. */
type Interested = ReadonlyMap<string, ReadonlyMap<string, readonly EventInterest[]>>;

/** Judges whether a change may let a rejected pod fit. Source: kubernetes pkg/scheduler/backend/queue (isPodWorthRequeuing). */
export class RequeueJudge {
  readonly #profiles: ReadonlyMap<string, Pick<Profile, "interests">>;
  /** By resource and action. */
  readonly #interested = new Map<string, Interested>();

  constructor(profiles: ReadonlyMap<string, Pick<Profile, "interests">>) {
    this.#profiles = profiles;
  }

  /** Undefined when no plugin cares about such events at all. */
  consider(event: ClusterEvent): EventJudge | undefined {
    const interested = this.#interestedIn(event);
    return event.resource === "*" || interested.size > 0 ? new EventJudge(event, interested, this.#profiles) : undefined;
  }

  #interestedIn(event: ClusterEvent): Interested {
    const key = `${event.resource} ${event.action}`;
    let interested = this.#interested.get(key);
    if (!interested) {
      const found = [...this.#profiles].map(([profile, { interests }]) => [profile, interestedPlugins(interests, event)] as const);
      this.#interested.set(key, (interested = new Map(found.filter(([, plugins]) => plugins.size > 0))));
    }
    return interested;
  }
}

/** What one event means to pods. */
export class EventJudge {
  readonly event: ClusterEvent;
  readonly #interested: Interested;
  readonly #profiles: ReadonlyMap<string, Pick<Profile, "interests">>;

  constructor(event: ClusterEvent, interested: Interested, profiles: ReadonlyMap<string, Pick<Profile, "interests">>) {
    this.event = event;
    this.#interested = interested;
    this.#profiles = profiles;
  }

  /** Whether the plugin that doesn't let a pod in waits for such events. */
  mayOpen({ pod, gate }: QueuedPod): boolean {
    return this.event.resource !== "*" && this.#interested.get(pod.spec.schedulerName!)?.has(gate) === true;
  }

  judge({ pod, uid, rejectors, pending }: QueuedPod): Requeue {
    const { resource, current } = this.event;
    if (rejectors.size === 0) return "backoff";
    if (resource === "*") return current === undefined || current.metadata.uid === uid ? "backoff" : "skip";
    const profile = pod.spec.schedulerName!;
    const interested = this.#interested.get(profile);
    let verdict: Requeue = "skip";
    for (const plugin of rejectors) {
      const interests = interested?.get(plugin) ?? (this.#profiles.get(profile)?.interests.has(plugin) ? undefined : anything);
      if (!interests?.some((interest) => mayHelp(interest, pod, this.event))) continue;
      if (pending.has(plugin)) return "now";
      if (pending.size === 0) return "backoff";
      verdict = "backoff";
    }
    return verdict;
  }
}

/** Stands for the interests of a plugin that names none: any change may help. */
const anything: readonly EventInterest[] = [{ resource: "Pod", actions: [] }];

function interestedPlugins(interests: Profile["interests"], event: ClusterEvent): ReadonlyMap<string, readonly EventInterest[]> {
  const found = new Map<string, readonly EventInterest[]>();
  for (const [plugin, all] of interests) {
    const matching = all?.filter((interest) => concerns(interest, event)) ?? anything;
    if (matching.length > 0) found.set(plugin, matching);
  }
  return found;
}

function mayHelp(interest: EventInterest, pod: QueuedPod["pod"], { old, current }: ClusterEvent): boolean {
  try {
    return (interest.hint as ((...objects: unknown[]) => string) | undefined)?.(pod, old, current) !== "Skip";
  } catch {
    // A hint that fails must not keep the pod waiting.
    return true;
  }
}
