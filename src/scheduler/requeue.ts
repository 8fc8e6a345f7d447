import { concerns, type ClusterEvent, type EventInterest } from "./cluster-events.ts";
import type { Profile } from "./profile.ts";
import type { QueuedPod } from "./queued-pod.ts";

/** skip: it stays where it is · backoff: once its back-off is over · now: without back-off. */
export type Requeue = "skip" | "backoff" | "now";

type Interested = ReadonlyMap<string, readonly EventInterest[]>;

/** Judges whether a change may let a rejected pod fit. Source: kubernetes pkg/scheduler/backend/queue (isPodWorthRequeuing). */
export class RequeueJudge {
  readonly #profiles: ReadonlyMap<string, Pick<Profile, "interests">>;
  /** The plugins that an event concerns, by event and profile. */
  readonly #interested = new Map<string, Map<string, Interested>>();

  constructor(profiles: ReadonlyMap<string, Pick<Profile, "interests">>) {
    this.#profiles = profiles;
  }

  /** Whether any plugin cares about such events at all. */
  matters(event: ClusterEvent): boolean {
    if (event.resource === "*") return true;
    for (const profile of this.#profiles.keys()) if (this.#plugins(profile, event).size > 0) return true;
    return false;
  }

  /** Whether the plugin that doesn't let a pod in waits for such events. */
  mayOpen({ pod, gate }: QueuedPod, event: ClusterEvent): boolean {
    return event.resource !== "*" && this.#plugins(pod.spec.schedulerName!, event).has(gate);
  }

  judge({ pod, uid, rejectors, pending }: QueuedPod, event: ClusterEvent): Requeue {
    if (rejectors.size === 0) return "backoff";
    if (event.resource === "*") return event.current === undefined || event.current.metadata.uid === uid ? "backoff" : "skip";
    const interested = this.#plugins(pod.spec.schedulerName!, event);
    let verdict: Requeue = "skip";
    for (const plugin of rejectors) {
      const interests = interested.get(plugin) ?? (this.#known(pod.spec.schedulerName!, plugin) ? undefined : anything);
      if (!interests?.some((interest) => mayHelp(interest, pod, event))) continue;
      if (pending.has(plugin)) return "now";
      if (pending.size === 0) return "backoff";
      verdict = "backoff";
    }
    return verdict;
  }

  #known(profile: string, plugin: string): boolean {
    return this.#profiles.get(profile)?.interests.has(plugin) ?? false;
  }

  #plugins(profile: string, event: ClusterEvent): Interested {
    const key = `${event.resource} ${event.action}`;
    let byProfile = this.#interested.get(key);
    if (!byProfile) this.#interested.set(key, (byProfile = new Map()));
    let plugins = byProfile.get(profile);
    if (!plugins) byProfile.set(profile, (plugins = interestedPlugins(this.#profiles.get(profile)?.interests ?? new Map(), event)));
    return plugins;
  }
}

/** Stands for the interests of a plugin that names none: any change may help. */
const anything: readonly EventInterest[] = [{ resource: "Pod", actions: [] }];

function interestedPlugins(interests: Profile["interests"], event: ClusterEvent): Interested {
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
