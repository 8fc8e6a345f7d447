import { createReadStream, existsSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import type { Command } from "commander";
import { systemClock } from "../base/clock.ts";
import { decrypted } from "../server/backup/passphrase.ts";
import { configuredStores } from "../server/backup/places.ts";
import { type Restored, restoreBackup, restoreSnapshot } from "../server/backup/restore.ts";
import { restoreIntoEtcd, type RestoredIntoEtcd } from "../server/backup/restore-etcd.ts";
import { backUpReplaced } from "../server/backup/stopped.ts";
import { replacedBefore } from "../server/backup/swap.ts";
import { etcdSettings } from "../server/datastore/etcd-options.ts";
import { listSnapshots } from "../server/datastore/snapshots.ts";
import { UsageError } from "../server/settings.ts";
import { addBackupSettings, askPassphrase, backupSettingsOf, type BackupSettings, givenPassphrase } from "./backup-settings.ts";
import { list, located, row } from "./backup.ts";
import { addSettingFlags } from "./setting-options.ts";

interface Flags {
  list?: boolean;
  snapshot?: string;
  passphraseFile?: string;
  force?: boolean;
}

export function addRestoreCommand(program: Command): void {
  const command = addBackupSettings(program.command("restore").description("Bring a cluster back from a backup, on this machine or a new one, while the server is stopped; with --datastore-endpoint, its state into that etcd, while all servers are"))
    .argument("[backup]", "a file, s3://BUCKET/FOLDER/NAME, a name that --list shows, or - for standard input")
    .option("--list", "list the backups there are, and the snapshots that the server keeps of its own database")
    .option("--snapshot <revision>", "go back to one of those snapshots instead; keys and settings stay as they are")
    .option("--passphrase-file <file>", "the passphrase of an encrypted backup (or in SKIFF_BACKUP_PASSPHRASE; else it is asked for)")
    .option("--force", "replace the cluster that is there: its files are moved aside, what etcd holds of it is backed up")
    .action(async (backup: string | undefined, flags: Flags & Record<string, unknown>) => {
      const settings = backupSettingsOf(flags, { newMachine: true });
      if (flags.list) return print(await everything(settings));
      if ((backup === undefined) === (flags.snapshot === undefined)) throw new UsageError("name one backup, or a snapshot with --snapshot: \"skiff restore --list\" shows what there is");
      if (backup === undefined && settings.options.datastore.etcd) throw new UsageError("this server keeps its state in etcd, and snapshots of a database are none of that: name a backup");
      print(backup === undefined ? await fromSnapshot(flags.snapshot!, settings) : await fromBackup(backup, flags, settings));
    });
  addSettingFlags(command, etcdSettings);
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);

const snapshotsOf = ({ layout }: BackupSettings): ReturnType<typeof listSnapshots> => listSnapshots(join(dirname(layout.databaseFile), "snapshots"));

async function everything(settings: BackupSettings): Promise<string> {
  const snapshots = snapshotsOf(settings).map(({ revision, bytes, at, file }) => `${row({ at, bytes })}  ${String(revision).padEnd(16)}  ${file}`);
  return [await list(configuredStores(settings.options.backup)).catch(({ message }: Error) => message), "", "TAKEN                 SIZE       REVISION          SNAPSHOT", ...snapshots].join("\n");
}

async function fromSnapshot(revision: string, settings: BackupSettings): Promise<string> {
  const snapshot = snapshotsOf(settings).find((each) => String(each.revision) === revision);
  if (!snapshot) throw new UsageError(`there is no snapshot of revision ${revision}: "skiff restore --list" shows those there are`);
  const { at, replaced } = await restoreSnapshot({ file: snapshot.file, layout: settings.layout });
  return [`The state of ${new Date(at).toISOString()} is back (revision ${revision}).`, ...aside(replaced), started].join("\n");
}

async function fromBackup(given: string, { passphraseFile, force = false }: Flags, settings: BackupSettings): Promise<string> {
  const { layout, options } = settings;
  const { source, name } = given === "-" ? { source: Readable.toWeb(createReadStream("", { fd: 0, autoClose: false })) as unknown as ReadableStream<Uint8Array>, name: "standard input" } : opened(given, settings);
  const plain = await decrypted(source, name, async () => givenPassphrase(passphraseFile, options.backup) ?? (given === "-" ? undefined : await askPassphrase(`Passphrase of ${name}: `)));
  const restore = { source: plain, name, layout, configFile: options.configFile, force }, { etcd } = options.datastore;
  const restored = etcd ? await restoreIntoEtcd({ ...restore, etcd, clock: systemClock, keep: (writeState) => backUpReplaced(options, writeState) }) : await restoreBackup(restore);
  return told(restored, settings);
}

function opened(given: string, settings: BackupSettings): { source: ReadableStream<Uint8Array>; name: string } {
  // A file in this directory is meant before a backup of the server's own of that name.
  const { store, name } = located(existsSync(given) && !given.includes("/") ? `./${given}` : given, settings);
  return { source: store.open(name), name: store.locate(name) };
}

const started = 'Start the server ("systemctl start skiff"): agents and clients come back by themselves.';
function aside(replaced: string | undefined): string[] {
  if (!replaced) return [];
  const before = replacedBefore(replaced);
  return [`What was there lies in ${replaced}: delete it when all is well.`, ...(before.length > 0 ? [`What earlier restores have replaced is there too: ${before.join(", ")}.`] : [])];
}

function told({ created, nodeName, revision, replaced, kept, config }: Restored & Pick<RestoredIntoEtcd, "kept">, { layout, options: { datastore: { etcd } } }: BackupSettings): string {
  const here = hostname().toLowerCase();
  return [
    `The cluster of ${nodeName}, as it was at ${created} (revision ${revision}), is in ${etcd ? `etcd at ${etcd.endpoints.map(({ url }) => url).join(", ")}, its keys and settings in ` : ""}${layout.dataDir}.`,
    ...(kept === undefined ? [] : [`What etcd held, and this machine's keys, are in the backup ${kept}: delete it when all is well.`]),
    ...aside(replaced),
    ...(config.placed.length > 0 ? [`Settings restored: ${config.placed.join(", ")}; see whether what they say of addresses and names (node-ip, node-name, ...) holds for this machine.`] : []),
    ...(config.beside.length > 0 ? [`This machine's own settings stay; those of the backup lie in ${config.beside.join(", ")}.`] : []),
    ...(here === nodeName ? [] : [`This machine is called ${here}: if its node has that name too, the old one stays NotReady until "skiff kubectl delete node ${nodeName}".`]),
    etcd ? `${started} Start it with the same --datastore-endpoint and what belongs to that, and the other servers of the cluster after it.` : started,
  ].join("\n");
}
