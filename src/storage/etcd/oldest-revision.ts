import { GrpcError } from "../../base/grpc/error.ts";
import { toStorageError } from "./errors.ts";
import { requireLeader, type EtcdClient } from "./etcd-client.ts";
import { codec, everything, watchPath, type WatchResponse } from "./messages.ts";

/** The oldest revision of which etcd still has the state, in its own count: a watch of the very first one is told. */
export async function oldestRevision(client: EtcdClient): Promise<number> {
  const enough = new AbortController();
  let oldest = 1;
  const call = client.channel.call(watchPath, (bytes) => {
    const { created, canceled, compactRevision = 0 } = codec.decode("WatchResponse", bytes) as WatchResponse;
    if (created && !canceled) return;
    oldest = Math.max(compactRevision, 1);
    enough.abort();
  }, { signal: enough.signal, metadata: requireLeader, timeoutMs: 8000 });
  call.send(codec.encode("WatchRequest", { createRequest: { ...everything, startRevision: 1, fragment: true } }));
  await call.done.catch((error: unknown) => {
    if (!enough.signal.aborted) throw error instanceof GrpcError ? toStorageError(error, { repeatable: true }) : error;
  });
  return oldest;
}
