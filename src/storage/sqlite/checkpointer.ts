import type { StorageError } from "../storage.ts";
import type { Logged } from "./log-to-file.ts";
import { Occupancy } from "./occupancy.ts";
import type { CheckpointRequest, CheckpointTells } from "./protocol.ts";
import { checkpointPages } from "./schema.ts";
import { Thread } from "./thread.ts";

/** A log that has no more than so many pages which aren't in the file is finished by the writer: commits wait for that. */
const shortRestPages = 100;
/** Tries to come that far while commits make the log longer. */
const passes = 6;

export interface CheckpointerDependencies {
  path: string;
  /** Lets the writer take the rest of the log into the file, between two commits. */
  finish(): Promise<unknown>;
  /** The file can't be relied on any more: see `UnsyncedFile`. */
  onFatal(error: StorageError): void;
}

/** Takes a long log into the file: nearly all of it on a thread of its own beside the commits that go on, so that these wait for the last bit only. */
export class Checkpointer {
  readonly occupancy = new Occupancy();
  /** Which of this process' threads it is, once there is one. */
  thread: string | undefined;
  #thread: Thread<CheckpointRequest, CheckpointTells> | undefined;
  #underWay: Promise<void> | undefined;
  #held = 0;

  constructor(private readonly dependencies: CheckpointerDependencies) {}

  /** To be told after each commit how long the log is. */
  follow({ log, checkpointed }: Logged): void {
    if (log < checkpointPages || log === checkpointed || this.#underWay || this.#held > 0) return;
    this.#underWay = this.#run().catch(() => {
      // A disk that fails, say: the next commit tells, and it is tried again.
    }).finally(() => (this.#underWay = undefined));
  }

  /** Resolves when nothing is being taken into the file. */
  async settled(): Promise<void> {
    await this.#underWay;
  }

  /** Nothing is taken into the file by this until `work` is done. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    this.#held++;
    try {
      await this.#underWay;
      return await work();
    } finally {
      this.#held--;
    }
  }

  /** To be held meanwhile. */
  async close(): Promise<void> {
    await this.#thread?.call({ type: "close" });
    this.stop();
  }

  /** Without closing the file: while a connection is open, none takes the log away. */
  stop(): void {
    this.#thread?.stop();
    this.#thread = undefined;
  }

  async #run(): Promise<void> {
    for (let pass = 0, rest = Infinity; pass < passes && rest > shortRestPages; pass++) {
      const { log, checkpointed } = await this.#pass();
      rest = log - checkpointed;
    }
    await this.dependencies.finish();
  }

  async #pass(): Promise<Logged> {
    // Made when there is a first log to take: a quiet cluster may never need it.
    const thread = this.#thread ??= await this.#open();
    this.occupancy.begin();
    return (await thread.call({ type: "checkpoint" })).logged!;
  }

  async #open(): Promise<Thread<CheckpointRequest, CheckpointTells>> {
    const { path, onFatal } = this.dependencies, thread = new Thread<CheckpointRequest, CheckpointTells>("checkpoint-worker.ts", onFatal);
    try {
      this.thread = (await thread.call({ type: "open", path, occupancy: this.occupancy.memory })).thread;
      return thread;
    } catch (error) {
      thread.stop();
      throw error;
    }
  }
}
