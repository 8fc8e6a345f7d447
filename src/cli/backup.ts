import type { Command } from "commander";
import { systemClock } from "../base/clock.ts";
import { backupPath } from "../server/backup/handler.ts";
import { encrypted } from "../server/backup/passphrase.ts";
import { configuredStores, placeOf } from "../server/backup/places.ts";
import { backupOfStopped } from "../server/backup/stopped.ts";
import { backupName, type BackupStore, NameTakenError, type StoredBackup } from "../server/backup/store.ts";
import { prune } from "../server/backup/take-backup.ts";
import { UsageError } from "../server/settings.ts";
import { adminRequest, ServerAway } from "./admin-request.ts";
import { addBackupSettings, askPassphrase, backupSettingsOf, type BackupSettings, givenPassphrase, passphraseVariable } from "./backup-settings.ts";

interface Flags {
  output?: string;
  passphraseFile?: string;
  encrypt?: boolean;
  force?: boolean;
  kubeconfig?: string;
}

export function addBackupCommand(program: Command): void {
  const backup = addBackupSettings(program.command("backup").description("Write all that brings this cluster back into one file: its state at one moment, keys, tokens, configuration and manifests"))
    .option("-o, --output <place>", "a file, a directory, s3://BUCKET/FOLDER/NAME, or - for standard output (default: where the server's own backups go)")
    .option("--encrypt", "encrypt the backup; the passphrase is asked for, unless it is given as below")
    .option("--passphrase-file <file>", `encrypt it with the passphrase in this file (or in ${passphraseVariable}; default: --backup-passphrase-file of the server)`)
    .option("--force", "replace a file that is there")
    .option("--kubeconfig <file>", "the administrator's kubeconfig (default: the one the server wrote)")
    .action(async (flags: Flags & Record<string, unknown>) => run(flags, backupSettingsOf(flags)));
  const sub = (name: string, description: string): Command => addBackupSettings(backup.command(name).description(description));
  const settingsOf = (command: Command): BackupSettings => backupSettingsOf(command.optsWithGlobals());
  sub("list", "List the backups where the server's own go, or elsewhere")
    .argument("[place]", "a directory or s3://BUCKET/FOLDER/")
    .action(async (place: string | undefined, _flags, command: Command) => print(await list(storesOf(place, settingsOf(command)))));
  sub("delete", "Delete backups")
    .argument("<name...>", "as \"skiff backup list\" shows them")
    .action(async (names: string[], _flags, command: Command) => {
      const settings = settingsOf(command);
      for (const given of names) {
        const { store, name } = located(given, settings);
        await store.remove(name);
        print(`${store.locate(name)} deleted`);
      }
    });
  sub("prune", "Delete the oldest backups taken by schedule on this machine")
    .option("--keep <number>", "how many stay (default: --backup-retention of the server)")
    .action(async (_flags, command: Command) => {
      const settings = settingsOf(command), { keep = String(settings.options.backup.retention) } = command.opts<{ keep?: string }>();
      if (!/^\d+$/.test(keep)) throw new UsageError(`--keep must be a whole number, not ${JSON.stringify(keep)}`);
      for (const store of configuredStores(settings.options.backup)) {
        for (const name of await prune(store, { occasion: "scheduled", nodeName: settings.options.nodeName, keep: Number(keep) })) print(`${name} deleted`);
      }
    });
}

const print = (text: string): void => void process.stdout.write(text && `${text}\n`);

async function run({ output, passphraseFile, encrypt, force = false, kubeconfig }: Flags, settings: BackupSettings): Promise<void> {
  const { options } = settings;
  if (output === "-" && process.stdout.isTTY) throw new UsageError("a backup holds all keys of the cluster and is not for a terminal: write it into a file with --output FILE, or into a pipe");
  const passphrase = givenPassphrase(passphraseFile, options.backup) ?? (encrypt ? await newPassphrase() : undefined);
  /** Of a new backup. */
  const write = async <T>(into: (content: ReadableStream<Uint8Array>) => Promise<T>): Promise<T> => {
    const { archive, close } = await archiveOf(settings, kubeconfig);
    try {
      return await into(passphrase === undefined ? archive : await encrypted(archive, passphrase));
    } finally {
      await close();
    }
  };
  if (output === "-") return write(toStandardOutput);
  const { store: first, name: given } = output === undefined ? { store: configuredStores(options.backup)[0], name: undefined } : placeOf(output, options.backup);
  const others = output === undefined ? configuredStores(options.backup).slice(1) : [];
  const ownName = (): string => backupName({ occasion: "backup", nodeName: options.nodeName, at: systemClock.now(), encrypted: passphrase !== undefined });
  const { name, bytes } = given === undefined ? await oneEachSecond(async () => putAs(ownName())) : await putAs(given);
  print(`${first.locate(name)}  ${size(bytes)}`);
  for (const { put, locate } of others) {
    await put(name, first.open(name), { replace: force });
    print(`${locate(name)}  ${size(bytes)}`);
  }
  if (passphrase === undefined) process.stderr.write("It holds all keys of the cluster and is not encrypted (see --encrypt): whoever can read it can administer the cluster.\n");

  async function putAs(name: string): Promise<{ name: string; bytes: number }> {
    return { name, bytes: await write((content) => first.put(name, content, { replace: force })) };
  }
}

/** Our own names tell the second: of backups that are taken in the same one, all but one are taken again. */
async function oneEachSecond<T>(take: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await take();
    } catch (error) {
      if (!(error instanceof NameTakenError) || tries === 10) throw error;
      await systemClock.sleep(1000);
    }
  }
}

interface Archive {
  archive: ReadableStream<Uint8Array>;
  close(): Promise<void>;
}

/** From the server where one runs, else from its files. */
async function archiveOf({ layout, options }: BackupSettings, kubeconfig: string | undefined): Promise<Archive> {
  try {
    const response = await adminRequest({ dataDir: options.dataDir, ...(kubeconfig ? { kubeconfig } : {}), method: "GET", path: backupPath });
    return { archive: wholeOf(response.body!), close: async () => undefined };
  } catch (error) {
    if (!(error instanceof ServerAway) || kubeconfig !== undefined) throw error;
  }
  return await backupOfStopped(options, layout);
}

/** A response that breaks off says why only in the server's log. */
function wholeOf(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw new UsageError("the server broke off the backup, so there is none: its log says why", { cause: error });
      });
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

async function newPassphrase(): Promise<string> {
  const passphrase = await askPassphrase("Passphrase for the backup: ");
  if (passphrase === undefined) throw new UsageError(`--encrypt asks for a passphrase at a terminal, and there is none: use --passphrase-file or ${passphraseVariable}`);
  if (passphrase === "") throw new UsageError("the passphrase must not be empty");
  if (await askPassphrase("The same again: ") !== passphrase) throw new UsageError("the passphrases differ: nothing has been written");
  return passphrase;
}

async function toStandardOutput(content: ReadableStream<Uint8Array>): Promise<void> {
  const writer = Bun.stdout.writer();
  try {
    for await (const chunk of content as unknown as AsyncIterable<Uint8Array>) {
      await writer.write(chunk);
      await writer.flush();
    }
    await writer.end();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EPIPE") throw new UsageError("whoever reads the backup stopped before it was whole", { cause: error });
    if (code === "ENOSPC") throw new UsageError("there is no room for the backup where standard output goes, so what is there is none", { cause: error });
    throw error;
  }
}

function storesOf(place: string | undefined, { options }: BackupSettings): readonly BackupStore[] {
  return place === undefined ? configuredStores(options.backup) : [placeOf(place.startsWith("s3://") || place.endsWith("/") ? place : `${place}/`, options.backup).store];
}

/** A name alone is one of the server's own. */
export function located(given: string, { options }: BackupSettings): { store: BackupStore; name: string } {
  if (!given.includes("/")) return { store: configuredStores(options.backup)[0], name: given };
  const { store, name } = placeOf(given, options.backup);
  if (name === undefined) throw new UsageError(`${given} is no backup: "skiff backup list ${given}" shows those there are`);
  return { store, name };
}

/** A place that is away hides none of the others, where the backup may be that is needed now. Rejects when all are. */
export async function list(stores: readonly BackupStore[]): Promise<string> {
  const listed = await Promise.allSettled(stores.map((store) => store.list())), failed = listed.flatMap((each) => (each.status === "rejected" ? [each.reason as Error] : []));
  if (failed.length === stores.length) throw failed[0]!;
  const rows = listed.flatMap((each, at) => (each.status === "fulfilled" ? each.value.map((backup) => `${row(backup)}  ${stores[at]!.locate(backup.name)}`) : []));
  return ["TAKEN                 SIZE       BACKUP", ...rows, ...failed.map(({ message }) => `There may be more: ${message}`)].join("\n");
}

/** The first columns of a list of what can be restored: TAKEN and SIZE. */
export const row = ({ at, bytes }: Pick<StoredBackup, "at" | "bytes">): string => `${new Date(at).toISOString().replace(/\.\d+/, "")}  ${size(bytes).padEnd(9)}`;

const size = (bytes: number): string => (bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
