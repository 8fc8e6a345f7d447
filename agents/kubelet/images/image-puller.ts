import type { EventRecorder } from "../../../src/client/recorder.ts";
import type { Clock } from "../../../src/base/clock.ts";
import { imageTag } from "../../../src/apis/core/pod/image-name.ts";
import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { ObjectReference, Secret } from "../../../src/apis/generated/core/v1.ts";
import type { ContainerRuntime } from "../../cri/cri.ts";
import type { Image } from "../../cri/generated/messages.ts";
import { Backoff, imagePullLimits } from "../pod/backoff.ts";
import type { Container, Pod } from "../pod/pod.ts";
import { normalizeImageName, parseImageName } from "./image-name.ts";
import type { Credential, PullRecords } from "./pull-records.ts";
import { credentialsFor } from "./pull-secrets.ts";

/** Why a container waits: the reason and message of its Waiting state. `retryAt` says when trying again makes sense. */
export class ImageError extends Error {
  override readonly name = "ImageError";
  constructor(readonly reason: "ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull" | "InvalidImageName" | "ImageInspectError", message: string, readonly retryAt?: number, options?: ErrorOptions) {
    super(message, options);
  }
}

export interface ImagePullerOptions {
  runtime: ContainerRuntime;
  recorder: EventRecorder;
  clock: Clock;
  records: Pick<PullRecords, "mayUse" | "begin" | "succeeded" | "failed">;
  /** Pulls at the same time; more wait. */
  parallel?: number;
  /**
   * Whether an image that is here does while its registry can't be reached, for containers that want it pulled always, as all with the tag
   * `latest` do. A kubelet says no: whoever asks for that wants nothing else, and the registry's word on who may have the image. That leaves
   * a machine without a line standing still for an image that it has, so autonomous nodes say yes. A registry that refuses is obeyed.
   */
  presentWillDo?(): boolean;
}

/** Sees to it that images are on the node. Source: k8s.io/kubernetes/pkg/kubelet/images/image_manager.go, whose Events these are. */
export class ImagePuller {
  readonly #options: Required<ImagePullerOptions>;
  readonly #backoff = new Backoff(imagePullLimits);
  readonly #failures = new Map<string, { at: number; message: string }>();
  readonly #pulling = new Map<string, Promise<number>>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(options: ImagePullerOptions) {
    this.#options = { presentWillDo: () => false, ...options, parallel: options.parallel ?? 3 };
  }

  /** The image, after the container's pull policy has been followed. Throws `ImageError`. */
  async ensure(pod: Pod, container: Container, about: ObjectReference, secrets: readonly Frozen<Secret>[], signal: AbortSignal): Promise<Image> {
    const image = withDefaultTag(container.image ?? "");
    if (!parseImageName(image)) throw this.#fail(about, "Warning", "InspectFailed", "InvalidImageName", `Failed to apply default image tag "${container.image}": couldn't parse image name: invalid reference format`);
    const policy = container.imagePullPolicy ?? (imageTag(image) === "latest" ? "Always" : "IfNotPresent");
    const present = await this.find(image);
    const credentials = credentialsFor(image, secrets);
    const usable = present && this.#options.records.mayUse(image, present.id ?? "", credentials) ? present : undefined;
    if (usable && policy !== "Always") {
      this.#options.recorder.event(about, "Normal", "Pulled", `Container image "${container.image}" already present on machine and can be accessed by the pod`);
      return usable;
    }
    if (policy === "Never") throw this.#fail(about, "Warning", "ErrImageNeverPull", "ErrImageNeverPull", `Container image "${container.image}" is not present with pull policy of Never`);
    try {
      await this.#pull(pod, container, image, about, credentials, signal);
    } catch (error) {
      if (!usable || !this.#options.presentWillDo() || !(error instanceof ImageError && notAnswered.test(error.message))) throw error;
      this.#options.recorder.event(about, "Normal", "Pulled", `Container image "${container.image}" already present on machine, its registry can't be reached`);
      return usable;
    }
    const pulled = await this.find(image);
    if (!pulled) throw new ImageError("ImageInspectError", `Failed to inspect image "${container.image}" after it was pulled`);
    return pulled;
  }

  async find(image: string): Promise<Image | undefined> {
    return (await this.#options.runtime.images.imageStatus({ image: { image } })).image;
  }

  /** Images came by another way: forget past failures, so that the next try is made at once. */
  imagesChanged(): void {
    this.#failures.clear();
    this.#backoff.forget("");
  }

  async #pull(pod: Pod, container: Container, image: string, about: ObjectReference, credentials: readonly Credential[], signal: AbortSignal): Promise<void> {
    const { clock, recorder } = this.#options;
    // Who shows other credentials has mended something, and need not wait.
    const key = `${pod.metadata.uid}_${image}_${Bun.hash(JSON.stringify(credentials))}`;
    const failure = this.#failures.get(key);
    const remaining = failure ? this.#backoff.remaining(key, failure.at, clock.now()) : 0;
    if (failure && remaining > 0) {
      const message = `Back-off pulling image "${container.image}"`;
      recorder.event(about, "Normal", "BackOff", message);
      throw new ImageError("ImagePullBackOff", `${message}: ${failure.message}`, clock.now() + remaining);
    }
    recorder.event(about, "Normal", "Pulling", `Pulling image "${container.image}"`);
    const started = clock.monotonic();
    let pulling = 0;
    try {
      pulling = await this.#pullOnce(image, credentials, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      const message = error instanceof Error ? error.message : String(error);
      const now = clock.now();
      this.#backoff.next(key, now, now);
      this.#failures.delete(key);
      this.#failures.set(key, { at: now, message: `ErrImagePull: ${message}` });
      this.#forgetOld(now);
      recorder.event(about, "Warning", "Failed", `Failed to pull image "${container.image}": ${message}`);
      recorder.event(about, "Warning", "Failed", "Error: ErrImagePull");
      throw new ImageError("ErrImagePull", message, now + showBackOffMs, { cause: error });
    }
    this.#failures.delete(key);
    this.#backoff.reset(key);
    const size = (await this.find(image))?.size;
    const whole = Math.round(clock.monotonic() - started);
    recorder.event(about, "Normal", "Pulled", `Successfully pulled image "${container.image}" in ${duration(Math.min(pulling, whole))} (${duration(whole)} including waiting).${size ? ` Image size: ${size} bytes.` : ""}`);
  }

  /** Of pods that have gone, nobody asks again. */
  #forgetOld(now: number): void {
    for (const [key, { at }] of this.#failures) {
      if (Math.abs(now - at) < 2 * imagePullLimits.maximumMs) return;
      this.#failures.delete(key);
      this.#backoff.reset(key);
    }
  }

  /** Pods that want the same image with the same credentials share one pull. Resolves with its milliseconds, less the time it waited for others. */
  #pullOnce(image: string, credentials: readonly Credential[], signal: AbortSignal): Promise<number> {
    const key = `${normalizeImageName(image)} ${JSON.stringify(credentials.map(({ auth }) => auth))}`;
    let pull = this.#pulling.get(key);
    if (!pull) {
      pull = this.#limited(() => this.#tryCredentials(image, credentials)).finally(() => this.#pulling.delete(key));
      // Those that wait for it see the failure; when all have gone away nobody does.
      pull.catch(() => {});
      this.#pulling.set(key, pull);
    }
    return abortable(pull, signal);
  }

  async #tryCredentials(image: string, credentials: readonly Credential[]): Promise<number> {
    const { runtime, records, clock } = this.#options;
    const began = clock.monotonic();
    let failure: unknown;
    records.begin(image);
    for (const credential of credentials.length > 0 ? credentials : [undefined]) {
      try {
        const { imageRef = "" } = await runtime.images.pullImage({ image: { image }, ...(credential ? { auth: credential.auth } : {}) }, { timeoutMs: pullTimeoutMs });
        records.succeeded(image, imageRef, credential);
        return Math.round(clock.monotonic() - began);
      } catch (error) {
        failure = error;
      }
    }
    records.failed(image);
    throw failure;
  }

  async #limited<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#options.parallel) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
    try {
      return await work();
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  #fail(about: ObjectReference, type: "Warning", event: string, reason: ImageError["reason"], message: string): ImageError {
    this.#options.recorder.event(about, type, event, message);
    return new ImageError(reason, message);
  }
}

/** How long a container shows why its pull failed before it shows that it waits for the next. Shorter than the first back-off. */
const showBackOffMs = 3000;

/** How containerd and CRI-O say that no registry has answered. */
const notAnswered = /failed to do request|pinging container registry|dial tcp|no such host|i\/o timeout|deadline exceeded/i;

/** Slow links take their time; the runtime itself gives up when nothing moves. */
const pullTimeoutMs = 60 * 60 * 1000;

export function withDefaultTag(image: string): string {
  return imageTag(image) === "latest" && !image.endsWith(":latest") ? `${image}:latest` : image;
}

function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason as Error);
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** As Go prints durations, to the millisecond. */
const duration = (ms: number): string => (ms < 1000 ? `${ms}ms` : `${(ms / 1000).toString()}s`);
