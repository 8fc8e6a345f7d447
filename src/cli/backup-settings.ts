import type { Command } from "commander";
import { backupSettings, type BackupOptions } from "../server/backup/options.ts";
import { trustEndpointCa } from "../server/backup/endpoint-ca.ts";
import { passphraseIn } from "../server/backup/take-backup.ts";
import { type Layout, layoutOf } from "../server/layout.ts";
import { type ServerOptions, serverSettings } from "../server/options.ts";
import { parseServerOptions } from "../server/parse-options.ts";
import { defaultConfigFile, readSettings, UsageError } from "../server/settings.ts";
import { dataDirOption } from "./data-dir.ts";
import { addSettingFlags, kebab } from "./setting-options.ts";

/** What commands that deal with backups know of the server on this machine. */
export interface BackupSettings {
  layout: Layout;
  options: ServerOptions;
}

/** Where backups are, as the server's own settings say it; flags win over them. */
export function addBackupSettings(command: Command): Command {
  command.addOption(dataDirOption()).option("-c, --config <file>", "the server's settings", process.env["SKIFF_CONFIG"] ?? defaultConfigFile);
  addSettingFlags(command, backupSettings.filter(({ name }) => name.startsWith("backup-s3-") || name === "backup-dir"));
  return command;
}

/** A new machine gets its settings from the backup: there the file need not exist. */
export function backupSettingsOf(flags: Record<string, unknown>, { newMachine = false }: { newMachine?: boolean } = {}): BackupSettings {
  const configFile = String(flags["config"]);
  const values = readSettings(serverSettings, { flags: kebab(flags), environment: process.env, configFile, configRequired: !newMachine && configFile !== defaultConfigFile });
  const options = parseServerOptions({ ...values, config: configFile });
  const layout = layoutOf(options.dataDir);
  trustEndpointCa(options.backup.s3.endpointCa, layout);
  return { layout, options };
}

export const passphraseVariable = "SKIFF_BACKUP_PASSPHRASE";

/** The passphrase that was named: by a flag, the environment, or the server's settings. */
export function givenPassphrase(file: string | undefined, { passphraseFile }: BackupOptions): string | undefined {
  const named = file === undefined ? process.env[passphraseVariable] : undefined;
  if (named) return named;
  const from = file ?? passphraseFile;
  return from === undefined ? undefined : passphraseIn(from);
}

/** Asks at the terminal, without showing what is typed. Undefined where there is none. */
export async function askPassphrase(question: string): Promise<string | undefined> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) return undefined;
  stdin.setRawMode(true);
  stderr.write(question);
  const line = Promise.withResolvers<string>();
  let typed: string[] = [];
  const read = (chunk: Buffer): void => {
    for (const character of chunk.toString()) {
      if (character === "\r" || character === "\n") return line.resolve(typed.join(""));
      if (character === "\u0003") return line.reject(new UsageError("interrupted: nothing has been done"));
      typed = character === "\u007f" || character === "\b" ? typed.slice(0, -1) : [...typed, character];
    }
  };
  stdin.on("data", read).resume();
  try {
    return await line.promise;
  } finally {
    stdin.off("data", read).pause();
    stdin.setRawMode(false);
    stderr.write("\n");
  }
}
