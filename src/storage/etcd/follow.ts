import type { Clock } from "../../base/clock.ts";
import { GrpcCode, GrpcError } from "../../base/grpc/error.ts";
import { logger } from "../../base/log.ts";
import { StorageError } from "../storage.ts";
import { passes, toStorageError } from "./errors.ts";
import { requireLeader, type EtcdClient } from "./etcd-client.ts";
import { codec, everything, watchPath, type WatchCreateRequest, type WatchEvent, type WatchResponse } from "./messages.ts";

const log = logger("etcd");

/** History before `oldest` is gone. */
export class CompactedError extends StorageError {
  constructor(readonly oldest: number) {
    super("compacted", `etcd has compacted its history up to revision ${oldest}`);
  }
}

/**
 * Every write to etcd from revision `from` on, each once and in order, across members that die: `onEvents` gets the events of whole revisions.
 * All keys are watched, so that each revision shows: how far a watch has got is then known without asking, which etcd before 3.4.25 and 3.5.8
 * answers wrongly (https://github.com/etcd-io/etcd/issues/15220).
 * Resolves when `signal` aborts; throws a `CompactedError`, or a `StorageError` when there is no hope.
 */
export async function follow({ client, clock, from, of = everything, onEvents }: {
  client: EtcdClient;
  clock: Clock;
  from: number;
  /** Some keys alone, for who needn't know how far it has got. */
  of?: { key: Uint8Array; rangeEnd: Uint8Array };
  onEvents: (events: readonly WatchEvent[]) => void;
}, signal: AbortSignal): Promise<void> {
  let next = from, failures = 0;
  while (!signal.aborted) {
    const at = client.current;
    try {
      await followOn(client, { ...of, startRevision: next }, (events) => {
        failures = 0;
        next = events.at(-1)!.kv.modRevision + 1;
        onEvents(events);
      }, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof GrpcError)) throw error;
      if (!passes(error)) throw toStorageError(error, { repeatable: true });
      client.leave(at, error);
      if (failures === 3) log.warn("etcd's changes can't be followed: trying on", { error: error.message });
      await clock.sleep(Math.min(20 * 2 ** failures++, 1000), signal).catch(() => {});
    }
  }
}

/** On one member, until its stream ends. */
async function followOn(client: EtcdClient, what: Pick<WatchCreateRequest, "key" | "rangeEnd" | "startRevision">, onEvents: (events: readonly WatchEvent[]) => void, signal: AbortSignal): Promise<void> {
  const ended = new AbortController();
  let pieces: WatchEvent[] = [], failure: unknown;
  const call = client.channel.call(watchPath, (bytes) => {
    if (ended.signal.aborted) return;
    const response = codec.decode("WatchResponse", bytes) as WatchResponse;
    if (response.canceled) {
      failure = whyCanceled(response);
      ended.abort();
    } else if (response.events) {
      pieces = pieces.length > 0 ? [...pieces, ...response.events] : response.events;
      if (response.fragment) return;
      const whole = pieces;
      pieces = [];
      try {
        onEvents(whole);
      } catch (error) {
        failure = error;
        ended.abort();
      }
    }
  }, { signal: AbortSignal.any([signal, ended.signal]), metadata: requireLeader });
  call.send(codec.encode("WatchRequest", { createRequest: { ...what, prevKv: true, fragment: true } }));
  try {
    await call.done;
  } catch (error) {
    throw failure ?? error;
  }
  throw new GrpcError(GrpcCode.Unavailable, "etcd ended the watch", watchPath);
}

function whyCanceled({ compactRevision, cancelReason = "" }: WatchResponse): Error {
  if (compactRevision) return new CompactedError(compactRevision);
  return new GrpcError(cancelReason.includes("permission denied") ? GrpcCode.PermissionDenied : GrpcCode.Unavailable, cancelReason || "etcd ended the watch", watchPath);
}
