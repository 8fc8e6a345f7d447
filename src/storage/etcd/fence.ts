import type { EtcdClient } from "./etcd-client.ts";
import { compareModRevision, toKey, type Compare, type KeyValue, type RequestOp } from "./messages.ts";

/** What writers of several servers must know before they write: the keys that encrypt. */
export const fenceName = "/skiff/encryption";
const fenceKey = toKey(fenceName);

/**
 * Hears what the fence holds, at start and whenever that changes, before anything is shown that was written under it: undefined when there
 * is none. `revision` is what writes tell as `WriteOptions.fence` once they follow it. What this throws ends the storage.
 */
export type OnFence = (value: Uint8Array | undefined, revision: number) => void;

/**
 * One key of etcd's that writes compare: a write by who hasn't heard of its newest content is refused by etcd itself, however late it comes.
 * So there is a revision from which on all is written by the new content, and nothing by an older one.
 */
export class Fence {
  #revision = 0;
  /** Of etcd when the fence was last known to be so. */
  #asOf = -1;

  constructor(private readonly client: EtcdClient, private readonly onFence: OnFence) {}

  /** Asks etcd for the newest. */
  async load(): Promise<void> {
    const { header, kvs: [kv] = [] } = await this.client.call("Range", { key: fenceKey }, { repeatable: true });
    this.#set(kv?.value, kv?.modRevision ?? 0, header!.revision!);
  }

  /** To be called for each of etcd's changes, in their order; others than the fence's are passed over. */
  see({ type, kv }: { type?: number; kv: KeyValue }): void {
    if (Buffer.compare(kv.key, fenceKey) !== 0) return;
    if (type === 1) this.#set(undefined, 0, kv.modRevision);
    else this.#set(kv.value, kv.modRevision, kv.modRevision);
  }

  /** Replaces the content, unless it has changed since `revision`: false then, and the newest has been heard. */
  async move(value: Uint8Array, revision: number): Promise<boolean> {
    const { succeeded, header, responses } = await this.client.call("Txn", { compare: [this.at(revision)], success: [{ requestPut: { key: fenceKey, value } }], failure: [{ requestRange: { key: fenceKey } }] }, { repeatable: true });
    const there = responses?.[0]?.responseRange?.kvs?.[0];
    if (succeeded) this.#set(value, header!.revision!, header!.revision!);
    else this.#set(there?.value, there?.modRevision ?? 0, header!.revision!);
    // A call whose answer was lost is made again, and finds what it has put there itself.
    return succeeded === true || (there?.value !== undefined && Buffer.compare(there.value, value) === 0);
  }

  /** What a write compares that follows the content of `revision`. */
  at(revision: number): Compare {
    return { target: compareModRevision, key: fenceKey, modRevision: revision };
  }

  /** What it asks in the same transaction, to know why it was refused. */
  readonly look: RequestOp = { requestRange: { key: fenceKey, keysOnly: true } };

  #set(value: Uint8Array | undefined, revision: number, asOf: number): void {
    if (asOf <= this.#asOf) return;
    const known = this.#asOf >= 0 && revision === this.#revision;
    this.#asOf = asOf;
    this.#revision = revision;
    if (!known) this.onFence(value, revision);
  }
}
