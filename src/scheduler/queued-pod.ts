import type { Frozen } from "../apimachinery/meta.ts";
import type { Pod } from "../apis/generated/core/v1.ts";
import type { QueuedPodInfo } from "./framework.ts";
import { signatureOf } from "./known-failures.ts";

/** active: to be tried next · taken: being tried or bound · backoff: to be tried at `until` · unschedulable: until something changes · gated: until a plugin lets it in. */
export type QueueState = "active" | "taken" | "backoff" | "unschedulable" | "gated";

const nobody: ReadonlySet<string> = new Set();

/** A pod in the queue. Times are monotonic milliseconds. */
export class QueuedPod implements QueuedPodInfo {
  readonly uid: string;
  #pod: Frozen<Pod>;
  #signature: { of: number | bigint | undefined } | undefined;
  state: QueueState = "gated";
  timestamp: number;
  /** When it could be tried first; undefined while it never could. */
  firstTried: number | undefined;
  /** Decisions begun. */
  attempts = 0;
  /** Decisions against it. */
  rejections = 0;
  /** Attempts in a row in which something went wrong. */
  errors = 0;
  /** When the back-off after the last attempt ends. */
  until = 0;
  /** Plugins that said no, those among them that have set something going, and the one that doesn't let it in. */
  rejectors = nobody;
  pending = nobody;
  gate = "";
  /** Moved on because it had waited for very long. */
  flushed = false;
  /** How far the events had come when it was taken; undefined when it isn't being decided on. */
  seen: number | undefined;
  /** Resolves when what is being written of its last failure has been. */
  told: Promise<void> | undefined;
  /** The last failure that was told, and when. */
  lastMessage = "";
  lastToldAt = 0;

  constructor(pod: Frozen<Pod>, now: number) {
    this.uid = pod.metadata.uid!;
    this.#pod = pod;
    this.timestamp = now;
  }

  get pod(): Frozen<Pod> {
    return this.#pod;
  }

  set pod(pod: Frozen<Pod>) {
    this.#pod = pod;
    this.#signature = undefined;
  }

  /** Worked out once, when it is asked for. */
  get signature(): number | bigint | undefined {
    return (this.#signature ??= { of: signatureOf(this.#pod) }).of;
  }

  /** Keeps the plugin's name among the rejectors: its events count. */
  gateBy(plugin: string): void {
    this.gate = plugin;
    if (!this.rejectors.has(plugin)) this.rejectors = new Set([...this.rejectors, plugin]);
  }

  clearRejectors(): void {
    this.rejectors = nobody;
    this.pending = nobody;
  }
}
