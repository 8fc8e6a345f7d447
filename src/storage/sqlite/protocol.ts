import type { StorageErrorCode } from "../storage.ts";

/** One write, decided by the main thread; whether the file has the key is the file's to know. */
export type WriteCommand =
  | { type: "put"; key: string; revision: number; value: Uint8Array }
  | { type: "delete"; key: string; revision: number }
  /** From now on, keys that begin with this are written volatilely, too. */
  | { type: "volatile"; prefix: string };

/** Requests to the writer thread, answered one by one in order. */
export type WriterRequest =
  | { type: "open"; path: string; maxBytes?: number }
  /** One transaction: all or nothing. `revision`: the newest one given, here or to a volatile update; the file promises that it is not given again. */
  | { type: "commit"; writes: WriteCommand[]; revision: number }
  /** Deletes some history up to `revision`, for a few milliseconds. */
  | { type: "compact"; revision: number }
  /** Writes the file anew, without what was deleted from it, and empties its log. */
  | { type: "purge" }
  | { type: "close"; revision: number };

export type WriterReply = { ok: true; /** open: which of this process' threads it is. */ thread?: string; /** compact: nothing is left to delete. */ done?: boolean } | { ok: false; code: StorageErrorCode; message: string };
