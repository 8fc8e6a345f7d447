import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Checkpointer } from "../../src/storage/sqlite/checkpointer.ts";
import { prepareFile } from "../../src/storage/sqlite/open-file.ts";
import type { WriterRequest, WriterTells } from "../../src/storage/sqlite/protocol.ts";
import { SqliteStorage } from "../../src/storage/sqlite/sqlite-storage.ts";
import { Thread } from "../../src/storage/sqlite/thread.ts";
import { EtcdStorage } from "../../src/storage/etcd/etcd-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { TestEtcd } from "../support/etcd.ts";
import type { KineReply, KineRequest } from "./store-kine.ts";

/** Something that keeps keys, durably, in files of its own. */
export interface Rival {
  /** Writes a key that is at `revision`, 0 when it isn't there; resolves with the new one once it is durable. */
  write(key: string, value: Uint8Array, revision: number): Promise<number>;
  /** Reads all that begins with `prefix`; resolves with how many there are. */
  list?(prefix: string): Promise<number>;
  /** What has been written for it, as the disk sees it: whole pages of files that were changed. */
  writtenBytes(): number;
  close(): Promise<void>;
}

export interface Engine extends Rival {
  list(prefix: string): Promise<number>;
  storage: Storage;
}

export const skiffName = "Skiff", singleName = "Skiff's tables, a transaction a write", kineName = "kine's way", etcdName = "etcd";

/** Ways to open them, each with files of its own somewhere in the directory; by the names that the table shows. */
type Open = (directory: string) => Promise<Rival>;
export const rivals: Readonly<Record<string, Open>> = { [skiffName]: openSkiff, [singleName]: openSingle, [kineName]: openKine, [etcdName]: openEtcd };
/** Those behind Skiff's contract. */
export const engines: Readonly<Record<string, (directory: string) => Promise<Engine>>> = { [skiffName]: openSkiff, [etcdName]: openEtcd };

async function openSkiff(directory: string): Promise<Engine> {
  const storage = await SqliteStorage.open({ path: newFile(directory) });
  return { ...behindContract(storage), writtenBytes: () => pagesWrittenBy(String(process.pid)), close: () => storage.close() };
}

/** The same file, and the same thread that writes it; but nothing shares a commit. */
async function openSingle(directory: string): Promise<Rival> {
  const path = newFile(directory);
  prepareFile(path);
  const onFatal = (error: Error): never => { throw error; };
  const writer = new Thread<WriterRequest, WriterTells>("writer-worker.ts", onFatal);
  const checkpointer = new Checkpointer({ path, onFatal, finish: () => writer.call({ type: "checkpoint" }) });
  const { thread } = await writer.call({ type: "open", path, occupancy: checkpointer.occupancy.memory });
  let revision = 0;
  return {
    async write(key, value) {
      const mine = ++revision;
      const { logged } = await writer.call({ type: "commit", writes: [{ type: "put", key, value, revision: mine }], revision: mine, compacted: 0 });
      checkpointer.follow(logged!);
      return mine;
    },
    writtenBytes: () => pagesWrittenBy(thread!) + (checkpointer.thread === undefined ? 0 : pagesWrittenBy(checkpointer.thread)),
    async close() {
      await checkpointer.hold(() => checkpointer.close());
      await writer.call({ type: "finish", revision });
      await writer.call({ type: "close" });
      writer.stop();
    },
  };
}

async function openKine(directory: string): Promise<Rival> {
  const worker = new Worker(new URL("./store-kine.ts", import.meta.url).href, { smol: true });
  const waiting: ((reply: KineReply) => void)[] = [];
  worker.onmessage = ({ data }: MessageEvent<KineReply>) => waiting.shift()!(data);
  const call = async (request: KineRequest): Promise<KineReply> => {
    const reply = await new Promise<KineReply>((resolve) => {
      waiting.push(resolve);
      worker.postMessage(request);
    });
    if (reply.failure !== undefined) throw new Error(reply.failure);
    return reply;
  };
  const { thread } = await call({ type: "open", path: newFile(directory) });
  return {
    write: async (key, value) => (await call({ type: "write", key, value })).revision!,
    list: async (prefix) => (await call({ type: "list", prefix })).values!.length,
    writtenBytes: () => pagesWrittenBy(thread!),
    async close() {
      await call({ type: "close" });
      worker.terminate();
    },
  };
}

async function openEtcd(directory: string): Promise<Engine> {
  const etcd = await TestEtcd.start({ under: directory });
  const storage = await EtcdStorage.open(etcd.clientOptions);
  return {
    ...behindContract(storage), writtenBytes: () => pagesWrittenBy(String(etcd.pid(0))),
    async close() {
      await storage.close();
      await etcd[Symbol.asyncDispose]();
    },
  };
}

const behindContract = (storage: Storage): Pick<Engine, "write" | "list" | "storage"> => ({
  storage,
  write: (key, value, revision) => (revision === 0 ? storage.create(key, value) : storage.update(key, revision, value)),
  list: async (prefix) => (await storage.list(prefix)).items.length,
});

const newFile = (directory: string): string => join(mkdtempSync(join(directory, "store-")), "state.db");

/** Of a process or a thread. Source: proc(5), "write_bytes". */
function pagesWrittenBy(task: string): number {
  return Number(/^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${task}/io`, "utf8"))![1]);
}
