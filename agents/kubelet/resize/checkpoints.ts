import { existsSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { removeIfExists, writeFileAtomic } from "../../../src/base/files.ts";
import type { Logger } from "../../../src/base/log.ts";
import type { ContainerFacts } from "../runtime/labels.ts";
import type { PodResources } from "./pod-resources.ts";

/** What a container was last made to have, by the resources it and its pod had then. */
export type ActuatedContainer = NonNullable<ContainerFacts["resources"]> & { id: string };

/** What a kubelet that restarts must know of a pod that was resized. */
export interface ResizeCheckpoint {
  /** What the node has granted the pod, whatever its spec asks for by now. */
  allocated: PodResources;
  /** What has been set: for the pod as a whole, and by container where that is not what the container was made with. */
  actuated: { pod?: PodResources; containers: Record<string, ActuatedContainer> };
}

/**
 * One small file for each pod that is, or was, resized; all others need none, since what a container was made with is written on the container.
 * A file that makes no sense is set aside: the pod counts then as what its containers say.
 */
export class ResizeCheckpoints {
  readonly #known = new Map<string, ResizeCheckpoint>();

  constructor(private readonly directory: string, log: Logger) {
    if (!existsSync(directory)) return;
    for (const file of readdirSync(directory).filter((name) => name.endsWith(".json"))) {
      const path = join(directory, file);
      try {
        this.#known.set(file.slice(0, -".json".length), valid(JSON.parse(readFileSync(path, "utf8"))));
      } catch (error) {
        log.warn("What is known of a pod's resize cannot be read, set aside", { path: `${path}.corrupt`, error });
        renameSync(path, `${path}.corrupt`);
      }
    }
  }

  get(uid: string): ResizeCheckpoint | undefined {
    return this.#known.get(uid);
  }

  set(uid: string, checkpoint: ResizeCheckpoint): void {
    writeFileAtomic(this.#path(uid), JSON.stringify(checkpoint));
    this.#known.set(uid, checkpoint);
  }

  forget(uid: string): void {
    if (!this.#known.delete(uid)) return;
    removeIfExists(this.#path(uid));
  }

  /** Forgets all but these. */
  retain(uids: ReadonlySet<string>): void {
    for (const uid of this.#known.keys()) if (!uids.has(uid)) this.forget(uid);
  }

  #path(uid: string): string {
    return join(this.directory, `${uid}.json`);
  }
}

function valid(value: unknown): ResizeCheckpoint {
  const { allocated, actuated } = value as ResizeCheckpoint;
  if (typeof allocated?.containers !== "object" || typeof actuated?.containers !== "object") throw new Error("it has no resources");
  return { allocated, actuated };
}
