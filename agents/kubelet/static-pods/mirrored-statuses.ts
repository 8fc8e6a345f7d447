import type { PodStatus } from "../../../src/apis/generated/core/v1.ts";
import type { Pod } from "../pod/pod.ts";
import type { StatusManager } from "../status/status-manager.ts";
import { isStaticPod } from "./static-pod.ts";

/** What workers tell of their pods. */
export type PodStatuses = Pick<StatusManager, "set" | "observed" | "get" | "flushed" | "forget">;

interface Static {
  status?: PodStatus;
  mirror?: Pod | undefined;
}

/** Tells a static pod's status of its mirror pod, as soon as the API has one. */
export class MirroredStatuses implements PodStatuses {
  readonly #statics = new Map<string, Static>();
  constructor(private readonly api: PodStatuses) {}

  set(pod: Pod, status: PodStatus): void {
    if (!isStaticPod(pod)) return this.api.set(pod, status);
    const known = this.#of(pod.metadata.uid!);
    known.status = status;
    if (known.mirror) this.api.set(known.mirror, status);
  }

  observed(pod: Pod): void {
    if (!isStaticPod(pod)) this.api.observed(pod);
  }

  get(uid: string): PodStatus | undefined {
    return this.#statics.has(uid) ? this.#statics.get(uid)!.status : this.api.get(uid);
  }

  /** Without a mirror there is nobody to wait for. */
  async flushed(uid: string): Promise<void> {
    const known = this.#statics.get(uid);
    if (!known) return this.api.flushed(uid);
    if (known.mirror) await this.api.flushed(known.mirror.metadata.uid!);
  }

  forget(uid: string): void {
    const known = this.#statics.get(uid);
    if (known?.mirror) this.api.forget(known.mirror.metadata.uid!);
    else if (!known) this.api.forget(uid);
    this.#statics.delete(uid);
  }

  /** The API shows the static pod as this one, or not at all. */
  mirrored(uid: string, mirror: Pod | undefined): void {
    const known = this.#of(uid);
    const before = known.mirror?.metadata.uid;
    if (before !== undefined && before !== mirror?.metadata.uid) this.api.forget(before);
    known.mirror = mirror;
    if (!mirror) return;
    if (known.status && before !== mirror.metadata.uid) this.api.set(mirror, known.status);
    this.api.observed(mirror);
  }

  #of(uid: string): Static {
    const known = this.#statics.get(uid) ?? {};
    this.#statics.set(uid, known);
    return known;
  }
}
