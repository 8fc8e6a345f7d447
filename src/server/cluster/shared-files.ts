import { createHash } from "node:crypto";
import { existsSync, renameSync, watch, type FSWatcher } from "node:fs";
import { join } from "node:path";
import { ensureFile, readIfExists } from "../../base/files.ts";
import type { Clock } from "../../base/clock.ts";
import { parseJoinToken } from "../../base/join/join-token.ts";
import { logger } from "../../base/log.ts";
import { ensureClaim, findClaim, mustBeOurs } from "../../storage/etcd/claim.ts";
import { EtcdClient } from "../../storage/etcd/etcd-client.ts";
import { CompactedError, follow } from "../../storage/etcd/follow.ts";
import { fenceName } from "../../storage/etcd/fence.ts";
import { compareModRevision, endOf, toKey } from "../../storage/etcd/messages.ts";
import { mustNotHoldCluster } from "../datastore/engine.ts";
import type { EtcdOptions } from "../datastore/etcd-options.ts";
import { sealConfig } from "../encryption/shared-config.ts";
import { UsageError } from "../settings.ts";
import { agreementFileName } from "./agreement.ts";
import { etcdCaNames } from "./etcd-pki.ts";
import { openFiles, sealFiles, type Files } from "./sealed-files.ts";

const log = logger("servers");
const sharedKey = "/skiff/bootstrap";

const encryptionFileName = "cred/encryption-config.json";
const caKeyName = "tls/server-ca.key";
/** What makes servers one cluster, below the server's directory. Keys come before their certificates, as in cluster-pki.ts. */
const sharedNames = [...["server-ca", "client-ca", "front-proxy-ca", ...etcdCaNames].flatMap((name) => [`tls/${name}.key`, `tls/${name}.crt`]), "tls/service-account.key", agreementFileName, "token"];
/** Of each shared file as it was when this server and the cluster last agreed: tells who has changed it since. */
const agreedName = "cred/shared-files.json";

export interface SharedFilesOptions {
  etcd: EtcdOptions;
  /** `<data-dir>/server`. */
  directory: string;
  /** Where the cluster's state was if it was this server's own. */
  databaseFile: string;
  /** `--token`. */
  token: string | undefined;
  clock: Clock;
}

/** What other servers need of a server's directory. */
export function sharedFilesIn(directory: string): Files {
  return Object.fromEntries(sharedNames.flatMap((name) => {
    const text = readIfExists(join(directory, name));
    return text === undefined ? [] : [[name, text]];
  }));
}

export interface SharedRecord {
  key: string;
  value: Uint8Array;
}

/** What etcd is to hold of a server's directory when its cluster begins there, or takes another's place. */
export async function sharedRecords(directory: string, files = sharedFilesIn(directory)): Promise<SharedRecord[]> {
  const encryption = readIfExists(join(directory, encryptionFileName)), value = await sealFiles(files, { secret: secretOf(files["token"])!, caKey: files[caKeyName]! });
  return [{ key: sharedKey, value }, ...(encryption === undefined ? [] : [{ key: fenceName, value: sealConfig(encryption, files[caKeyName]!) }])];
}

/** Writes what another server has given, in place of what this one made for itself. */
export function writeSharedFiles(directory: string, files: Files, now: number): void {
  if (existsSync(join(directory, caKeyName)) && readIfExists(join(directory, caKeyName)) !== files[caKeyName]) setAside(directory, now);
  for (const name of sharedNames) if (files[name] !== undefined) ensureFile(join(directory, name), files[name]);
}

/** Keys of a start that lost the race to be the first, or of another cluster: no longer this server's. */
function setAside(directory: string, now: number): void {
  const aside = join(directory, `tls.set-aside-${new Date(now).toISOString().replaceAll(":", "-").replace(/\.\d+/, "")}`);
  renameSync(join(directory, "tls"), aside);
  const encryptionFile = join(directory, encryptionFileName);
  if (existsSync(encryptionFile)) renameSync(encryptionFile, join(aside, "encryption-config.json"));
  log.warn("Keys of another cluster were set aside", { where: aside });
}

/**
 * CA, keys and the token of a cluster of several servers: in etcd under one key, encrypted so that the token opens it, and on each server's
 * disk. Who comes first writes them, with the keys that encrypt what it brings along (see `SharedConfig`); others take them. Changes on one
 * server, and `skiff token rotate` there, get to all.
 */
export class SharedFiles {
  readonly #client: EtcdClient;
  /** Of the key in etcd; 0 when it isn't there. */
  #modRevision = 0;
  /** etcd's, up to which the key is known: changes are followed from here, for what was before may be compacted. */
  #known = 0;

  constructor(private readonly options: SharedFilesOptions) {
    this.#client = new EtcdClient({ ...options.etcd, clock: options.clock });
  }

  /**
   * Before this server makes anything of its own: takes what is there. Throws with nothing changed: a `UsageError` or
   * `StorageError` when the token doesn't open it, or it is another's; and what `check` throws for it.
   */
  async take(check?: (files: Files) => Promise<unknown>): Promise<void> {
    const { directory, databaseFile } = this.options;
    await this.#client.meet();
    if (await this.#receive(check)) return;
    const found = await findClaim(this.#client);
    mustBeOurs(found);
    if (found.objects > 0 && existsSync(databaseFile)) throw inBoth(databaseFile);
    if (found.objects > 0 && !existsSync(join(directory, caKeyName))) throw new UsageError("that etcd holds a cluster whose keys are with the server that it was moved from: start that server first");
  }

  /** Once this server has all files: writes those that are new or were changed here, unless another was first; then takes the other's and returns true. */
  async publish(): Promise<boolean> {
    const { databaseFile } = this.options;
    await ensureClaim(this.#client, () => mustNotHoldCluster(databaseFile));
    for (let taken = false; ; taken = true) {
      const files = sharedFilesIn(this.options.directory), agreed = this.#agreed();
      if (this.#modRevision > 0 && sharedNames.every((name) => digest(files[name]) === agreed[name])) return taken;
      if (await this.#write(files)) return taken;
      await this.#receive();
    }
  }

  /** Follows changes here and elsewhere until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    /** One after the other: each looks at what the one before has left. */
    let turn = Promise.resolve();
    const inTurn = (act: () => Promise<unknown>, failed: string): Promise<void> => (turn = turn.then(async () => {
      if (!signal.aborted) await act();
    }).catch((error: unknown) => log.error(failed, { error })));
    const receive = (): Promise<void> => inTurn(async () => {
      const before = readIfExists(join(this.options.directory, agreementFileName));
      await this.#receive();
      if (readIfExists(join(this.options.directory, agreementFileName)) !== before) log.warn("Another server has changed settings that all have alike: this one goes on with what it had until it is restarted");
    }, "What another server has changed could not be taken over");
    const watcher = this.#watch(() => void inTurn(() => this.publish(), "A change of keys or the token could not be told to other servers"));
    while (!signal.aborted) {
      try {
        await follow({
          client: this.#client, clock: this.options.clock, from: this.#known + 1, of: { key: toKey(sharedKey), rangeEnd: endOf(sharedKey) },
          onEvents: (events) => void (events.at(-1)!.kv.modRevision > this.#modRevision && receive()),
        }, signal);
      } catch (error) {
        if (!(error instanceof CompactedError)) log.warn("What servers share can't be followed, will try again", { error });
        await this.options.clock.sleep(1000, signal).catch(() => undefined);
        await receive();
      }
    }
    watcher.close();
    await turn;
  }

  close(): void {
    this.#client.close();
  }

  /** Takes what is in etcd, but what was changed here alone; false when there is nothing. */
  async #receive(check?: (files: Files) => Promise<unknown>): Promise<boolean> {
    const { directory, databaseFile, token, clock } = this.options;
    const { header, kvs: [kv] = [] } = await this.#client.call("Range", { key: toKey(sharedKey) }, { repeatable: true });
    if (!kv) return false;
    const caKey = readIfExists(join(directory, caKeyName)), own = readIfExists(join(directory, "token"));
    const opened = await openFiles(kv.value!, { caKey, secret: secretOf(token ?? own) });
    if (!opened) {
      throw new UsageError(token ?? own
        ? `${token ? "--token" : `the token in ${join(directory, "token")}`} is not that of the cluster in etcd: give the one that "skiff token" tells on a server of it; nothing has been changed`
        : 'a cluster is in that etcd already: to join it give its token, as "skiff token" tells on one of its servers, with --token; nothing has been changed');
    }
    if (opened.by === "caKey" && existsSync(databaseFile)) throw inBoth(databaseFile);
    const isAnothers = caKey !== undefined && opened.by === "secret";
    if (isAnothers && existsSync(databaseFile)) throw new UsageError(`this server has a cluster of its own in ${databaseFile}: give it another --data-dir to join the one in etcd`);
    await check?.(opened.files);
    if (isAnothers) setAside(directory, clock.now());
    const here = opened.by === "caKey" ? sharedFilesIn(this.options.directory) : {}, agreed = opened.by === "caKey" ? this.#agreed() : {};
    for (const name of sharedNames) {
      const theirs = opened.files[name];
      const changedHere = agreed[name] !== undefined && digest(here[name]) !== agreed[name] && digest(theirs) === agreed[name];
      if (theirs !== undefined && !changedHere) ensureFile(join(directory, name), theirs);
    }
    this.#modRevision = kv.modRevision;
    this.#known = header!.revision!;
    this.#agree(opened.files);
    return true;
  }

  async #write(files: Files): Promise<boolean> {
    const [own, ...others] = await sharedRecords(this.options.directory, files);
    // What is beside it already is newer than what lies here.
    const revision = (this.#modRevision === 0 ? await this.#put([own!, ...others]) : undefined) ?? await this.#put([own!]);
    if (revision === undefined) return false;
    this.#modRevision = this.#known = revision;
    this.#agree(files);
    return true;
  }

  /** At the revision returned, unless our record has changed, or others are there; undefined then. */
  async #put(records: readonly SharedRecord[]): Promise<number | undefined> {
    const { succeeded, header } = await this.#client.call("Txn", {
      compare: records.map(({ key }) => ({ target: compareModRevision, key: toKey(key), modRevision: key === sharedKey ? this.#modRevision : 0 })),
      success: records.map(({ key, value }) => ({ requestPut: { key: toKey(key), value } })),
    }, { repeatable: true });
    return succeeded ? header!.revision! : undefined;
  }

  #agreed(): Record<string, string> {
    return JSON.parse(readIfExists(join(this.options.directory, agreedName)) ?? "{}") as Record<string, string>;
  }

  #agree(files: Files): void {
    ensureFile(join(this.options.directory, agreedName), JSON.stringify(Object.fromEntries(sharedNames.map((name) => [name, digest(files[name])]))));
  }

  #watch(changed: () => void): FSWatcher {
    return watch(this.options.directory, (_, name) => {
      if (sharedNames.includes(String(name))) changed();
    });
  }
}

/** After a restore into the file, or a move back into it, the file is the one that is meant; after a move to etcd that broke off at its end they are the same. */
const inBoth = (databaseFile: string): UsageError =>
  new UsageError(`this cluster is in etcd and in ${databaseFile} too: leave out --datastore-endpoint to go on with the file, or move the file away to go on with etcd; nothing has been changed`);

const digest = (text = ""): string => createHash("sha256").update(text).digest("hex");

const secretOf = (token: string | undefined): string | undefined => token && (parseJoinToken(token)?.secret ?? token);
