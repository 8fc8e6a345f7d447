import type { Frozen, ObjectMeta } from "../apimachinery/meta.ts";
import type { Pod, Service } from "../apis/generated/core/v1.ts";
import { podCondition } from "./pod-status.ts";

export const triggerTimeAnnotation = "endpoints.kubernetes.io/last-change-trigger-time";

interface Seen {
  service: number;
  /** By name of the pod. */
  pods: Map<string, number>;
}

/**
 * Remembers when the pods of each service last became ready or unready, so that what is written says since when the change it carries
 * was due: by that the delay of programming the network is measured. Source: TriggerTimeTracker of k8s.io/endpointslice.
 */
export class TriggerTimes {
  readonly #seen = new Map<string, Seen>();

  /** When the oldest change since the last call happened, as RFC 3339; undefined when there was none. */
  next(key: string, service: Frozen<Service>, pods: readonly Frozen<Pod>[]): string | undefined {
    const last = this.#seen.get(key);
    const times = new Map(pods.flatMap((pod): [string, string][] => {
      const time = podCondition(pod, "Ready")?.lastTransitionTime;
      return time ? [[pod.metadata.name!, time]] : [];
    }).map(([name, time]) => [name, Date.parse(time)]));
    const created = service.metadata.creationTimestamp;
    const now: Seen = { service: created ? Date.parse(created) : 0, pods: times };
    this.#seen.set(key, now);
    if (!last) return created ?? undefined;
    const changed = [...times].filter(([name, time]) => time > (last.pods.get(name) ?? 0)).map(([, time]) => time);
    if (now.service > last.service) changed.push(now.service);
    return changed.length > 0 ? rfc3339(Math.min(...changed)) : undefined;
  }

  forget(key: string): void {
    this.#seen.delete(key);
  }
}

/** With as many digits of the second as there are: Go's RFC3339Nano. */
const rfc3339 = (ms: number): string => new Date(ms).toISOString().replace(/\.?0+Z$/, "Z");

/** Metadata whose annotations say the trigger time, or none. */
export function withTriggerTime<M extends ObjectMeta>(metadata: M, time: string | undefined): M {
  const { [triggerTimeAnnotation]: _, ...others } = metadata.annotations ?? {};
  const annotations = time === undefined ? others : { ...others, [triggerTimeAnnotation]: time };
  const { annotations: __, ...rest } = metadata;
  return { ...rest, ...(Object.keys(annotations).length > 0 ? { annotations } : {}) } as M;
}
