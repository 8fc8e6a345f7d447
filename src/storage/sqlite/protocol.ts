import type { StorageErrorCode } from "../storage.ts";

/** One write, decided by the main thread: the key is known to be absent (create) or present (update, delete). */
export type WriteCommand =
  | { type: "create" | "update"; key: string; revision: number; value: Uint8Array }
  | { type: "delete"; key: string; revision: number };

/** Requests to the writer thread, answered one by one in order. */
export type WriterRequest =
  | { type: "open"; path: string; maxBytes?: number }
  /** One transaction: all or nothing. `revision`: the newest one given, here or to a volatile update; the file promises that it is not given again. */
  | { type: "commit"; writes: WriteCommand[]; revision: number }
  /** Deletes some history up to `revision`, for a few milliseconds. */
  | { type: "compact"; revision: number }
  | { type: "close"; revision: number };

export type WriterReply = { ok: true; /** compact: nothing is left to delete. */ done?: boolean } | { ok: false; code: StorageErrorCode; message: string };
