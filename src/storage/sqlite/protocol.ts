import type { Logged } from "./log-to-file.ts";
import type { RoomLeft } from "./room.ts";

/** One write, decided by the main thread; whether the file has the key is the file's to know. */
export type WriteCommand = Command & { revision: number };

export type Command =
  | { type: "put"; key: string; value: Uint8Array }
  | { type: "delete"; key: string }
  /** From now on, keys that begin with this are written volatilely, too. */
  | { type: "volatile"; prefix: string };

/** Requests to the writer thread, answered one by one in order. */
export type WriterRequest =
  /** No revision up to `revision` is given again. `occupancy`: see `Occupancy`. */
  | { type: "open"; path: string; occupancy: SharedArrayBuffer; maxBytes?: number; revision?: number }
  /** One transaction: all or nothing. `revision`: the newest one given, here or to a volatile update; the file promises that it is not given again. History up to `compacted` may be forgotten on the way. */
  | { type: "commit"; writes: WriteCommand[]; revision: number; compacted: number }
  /** History up to `revision` is to be forgotten: does so for a few milliseconds, or says that the commits to come will do it. */
  | { type: "compact"; revision: number }
  /** Takes the log into the file, while all others wait. */
  | { type: "checkpoint" }
  /** How much room there is. */
  | { type: "look" }
  /** Forgets history up to `revision`, writes the file anew, without what was deleted from it, and empties its log. */
  | { type: "purge"; revision: number }
  /** Marks the file as closed and brings all of the log into it. */
  | { type: "finish"; revision: number }
  /** To be called when no other connection is open: the last one takes the log away. */
  | { type: "close" };

export interface WriterTells {
  /** open: which of this process' threads it is. */
  thread?: string;
  /** compact: nothing is left that is worth another call. */
  done?: boolean;
  room?: RoomLeft;
  /** commit, compact. */
  logged?: Logged;
}

/** Requests to the thread that takes the log into the file beside the writer. */
export type CheckpointRequest =
  | { type: "open"; path: string; occupancy: SharedArrayBuffer }
  /** `occupancy` has begun when this is posted, and ends with it. Tells how far it came. */
  | { type: "checkpoint" }
  | { type: "close" };

export interface CheckpointTells {
  /** open: which of this process' threads it is. */
  thread?: string;
  /** checkpoint. */
  logged?: Logged;
}
