import { createHash } from "node:crypto";
import type { Waiting } from "../kubelet/status/container-status.ts";
import type { Container } from "../kubelet/pod/pod.ts";

export type FoundImage = { reference: string } | { waiting: Waiting; retryAfter?: number };

/** How long the failure of a pull is shown before the wait for the next. */
const showErrorMs = 3000;

/** Names that no registry has, as tests use them. */
const looksUnknown = (image: string): boolean => /invalid|non-?existent|does-not-exist|:404$/.test(image);

/** The images a hollow node could pull: all but those whose name says otherwise, or as `isKnown` decides. Which they are never changes, so nothing is tried twice. */
export class ImageShelf {
  readonly #references = new Map<string, string>();
  constructor(private readonly isKnown: (image: string) => boolean = (image) => !looksUnknown(image)) {}

  /** `before`: why the container waits so far. Words and reasons as the kubelet's image manager has them. */
  find({ image = "", imagePullPolicy }: Container, before: Waiting | undefined, warn: (reason: string, message: string) => void): FoundImage {
    if (this.isKnown(image)) return { reference: this.#reference(image) };
    if (imagePullPolicy === "Never") return { waiting: { reason: "ErrImageNeverPull", message: `Container image "${image}" is not present with pull policy of Never` } };
    const failure = `failed to pull image "${image}": not found`;
    const backOff = { reason: "ImagePullBackOff", message: `Back-off pulling image "${image}": ErrImagePull: ${failure}` };
    if (before?.message === backOff.message || before?.message === failure) return { waiting: backOff };
    warn("Failed", `Failed to pull image "${image}": ${failure}`);
    warn("Failed", "Error: ErrImagePull");
    return { waiting: { reason: "ErrImagePull", message: failure }, retryAfter: showErrorMs };
  }

  #reference(image: string): string {
    const reference = this.#references.get(image) ?? `sha256:${createHash("sha256").update(image).digest("hex")}`;
    this.#references.set(image, reference);
    return reference;
  }
}
