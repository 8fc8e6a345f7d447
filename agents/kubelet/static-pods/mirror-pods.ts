import type { Clock } from "../../../src/base/clock.ts";
import { backoffDelay } from "../../../src/base/backoff.ts";
import type { Logger } from "../../../src/base/log.ts";
import { isConflict, isNotFound } from "../../../src/apimachinery/status.ts";
import { thaw } from "../../../src/apimachinery/meta.ts";
import { pods } from "../../../src/apis/core/pod/pod.ts";
import type { Pod as PodObject } from "../../../src/apis/generated/core/v1.ts";
import type { Client } from "../../../src/client/client.ts";
import type { Pod } from "../pod/pod.ts";
import { configHashAnnotation, configMirrorAnnotation, fullName } from "./static-pod.ts";

export interface MirrorPodsOptions {
  client: Client;
  clock: Clock;
  log: Logger;
  nodeName: string;
  /** Undefined as long as the node is not registered. */
  nodeUid(): string | undefined;
  /** The API shows the static pod so, or not at all. */
  onMirror(staticUid: string, mirror: Pod | undefined): void;
}

/** What is to be done so that the API shows a static pod as it is. Source: k8s.io/kubernetes/pkg/kubelet tryReconcileMirrorPods. */
export function planMirror(pod: Pod | undefined, mirror: Pod | undefined): "create" | "delete" | undefined {
  if (!mirror) return pod ? "create" : undefined;
  const fits = pod && mirror.metadata.deletionTimestamp === undefined && mirror.metadata.annotations?.[configMirrorAnnotation] === pod.metadata.annotations?.[configHashAnnotation];
  return fits ? undefined : "delete";
}

/** Shows the node's static pods in the API: made there when it can be reached and the node is registered, made again when somebody deletes them, deleted when their pods are gone. */
export class MirrorPods {
  readonly #statics = new Map<string, Pod>();
  readonly #mirrors = new Map<string, Pod>();
  readonly #dirty = new Set<string>();
  #wake: () => void = () => undefined;
  constructor(private readonly options: MirrorPodsOptions) {}

  /** The node has this static pod. */
  add(pod: Pod): void {
    this.#statics.set(fullName(pod), pod);
    this.#changed(fullName(pod));
  }

  /** Nothing is left of the static pod. */
  remove(pod: Pod): void {
    const name = fullName(pod);
    if (this.#statics.get(name)?.metadata.uid !== pod.metadata.uid) return;
    this.#statics.delete(name);
    this.#changed(name);
  }

  /** The API has this mirror pod. */
  observe(mirror: Pod): void {
    this.#mirrors.set(fullName(mirror), mirror);
    this.#changed(fullName(mirror));
  }

  /** The API has the mirror pod no more. */
  gone(mirror: Pod): void {
    const name = fullName(mirror);
    if (this.#mirrors.get(name)?.metadata.uid !== mirror.metadata.uid) return;
    this.#mirrors.delete(name);
    this.#changed(name);
  }

  /** The node has become known to the API, or was made anew there. */
  retry(): void {
    for (const name of [...this.#statics.keys(), ...this.#mirrors.keys()]) this.#dirty.add(name);
    this.#wake();
  }

  /** Works until `signal` aborts; begun once it is known what the API has. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.options;
    signal.addEventListener("abort", () => this.#wake(), { once: true });
    for (let failures = 0; !signal.aborted; ) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      const names = [...this.#dirty];
      this.#dirty.clear();
      for (const name of names) {
        try {
          await this.#reconcile(name);
          failures = 0;
        } catch (error) {
          if (signal.aborted) return;
          this.#dirty.add(name);
          log.debug("Mirror pod not settled, will try again", { pod: name, error });
        }
      }
      if (this.#dirty.size > 0) await clock.sleep(backoffDelay(failures++, { base: 200, max: 20_000, jitter: 0.2 }), signal).catch(() => undefined);
      else await woken;
    }
  }

  #changed(name: string): void {
    const pod = this.#statics.get(name), mirror = this.#mirrors.get(name);
    if (pod) this.options.onMirror(pod.metadata.uid!, mirror && planMirror(pod, mirror) === undefined ? mirror : undefined);
    this.#dirty.add(name);
    this.#wake();
  }

  async #reconcile(name: string): Promise<void> {
    const pod = this.#statics.get(name), mirror = this.#mirrors.get(name);
    const action = planMirror(pod, mirror);
    if (action === "delete") await this.#delete(mirror!);
    // What is deleted comes back when the API says that it is gone.
    if (action === "create") await this.#create(pod!);
  }

  async #create(pod: Pod): Promise<void> {
    const { client, nodeName, nodeUid, log } = this.options;
    const uid = nodeUid();
    if (uid === undefined) return;
    const { name, namespace, labels, annotations } = pod.metadata;
    const mirror: PodObject = {
      apiVersion: "v1", kind: "Pod",
      metadata: {
        name, namespace, ...(labels ? { labels: { ...labels } } : {}), annotations: { ...annotations, [configMirrorAnnotation]: annotations![configHashAnnotation]! },
        ownerReferences: [{ apiVersion: "v1", kind: "Node", name: nodeName, uid, controller: true }],
      },
      spec: mirrorSpec(pod),
    };
    await client.create(pods, mirror);
    log.info("The API shows a static pod", { pod: fullName(pod) });
  }

  async #delete({ metadata: { name, namespace, uid } }: Pod): Promise<void> {
    try {
      await this.options.client.delete(pods, { namespace, name: name! }, { gracePeriodSeconds: 0, preconditions: { uid } });
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  }
}

/** What the API's own admission decides is left to it. */
function mirrorSpec(pod: Pod): PodObject["spec"] {
  const spec = thaw<PodObject["spec"]>(pod.spec);
  if (spec.priorityClassName) delete spec.priority;
  return spec;
}
