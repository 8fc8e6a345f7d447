import type { FilesystemMount } from "./containerd-images.ts";
import type { ImageService, RuntimeService } from "./generated/messages.ts";

export type { ImageService, RuntimeService } from "./generated/messages.ts";

/** Something happened to a container or sandbox of the runtime; look at its status to learn what. */
export interface RuntimeEvent {
  /** The id of the container or sandbox. */
  id: string;
  type: "created" | "started" | "exited" | "oom" | "removed";
  exitCode?: number;
}

/** A container runtime that speaks CRI v1. All calls throw `GrpcError`. */
export interface ContainerRuntime {
  readonly runtime: RuntimeService;
  readonly images: ImageService;
  /**
   * Pushes lifecycle events until `signal` aborts, from GetContainerEvents, or containerd's own event stream where that is UNIMPLEMENTED.
   * Rejects when the stream breaks (the runtime restarted): relist, then subscribe again.
   */
  events(onEvent: (event: RuntimeEvent) => void, signal: AbortSignal): Promise<void>;
  /** How to mount the files of an image that is there, read-only, while it is; undefined where only the runtime itself can. */
  imageFiles(image: string): Promise<FilesystemMount[] | undefined>;
  close(): void;
}
