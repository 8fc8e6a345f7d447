import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Option } from "commander";
import { load } from "js-yaml";
import { readIfExists } from "../base/files.ts";
import { UsageError } from "../server/settings.ts";

const configDirectory = "/etc/skiff";

/** `--data-dir` of commands that look at what runs on this machine: by default where Skiff was told to keep its data when it was installed. */
export const dataDirOption = (): Option => new Option("--data-dir <dir>", "where Skiff keeps its data on this machine").env("SKIFF_DATA_DIR").default(configuredDataDir(configDirectory));

/** What commands look for is for root alone. Throws a `UsageError` where this user can't see it: it would be told not to be there. */
export function mustBeReadable(dataDir: string, configuration = configDirectory): void {
  for (const directory of ["server", "agent/join"]) {
    try {
      readdirSync(join(dataDir, directory));
    } catch (error) {
      if (isClosed(error)) throw forRoot(dataDir, error);
    }
  }
  // It may lie elsewhere, as a configuration says.
  if (existsSync(dataDir)) return;
  for (const file of ["skiff.env", "config.yaml"]) {
    try {
      readIfExists(join(configuration, file));
    } catch (error) {
      if (isClosed(error)) throw forRoot(configuration, error);
    }
  }
}

const isClosed = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "EACCES";
const forRoot = (path: string, cause: unknown): UsageError => new UsageError(`${path} can be read by root alone: run this as root, such as with sudo`, { cause });

/** As settings are read: what the service has in its environment, then `config.yaml`. What can't be read there is for Skiff itself to tell, or for `mustBeReadable`. */
export function configuredDataDir(directory: string): string {
  const inEnvironment = /^SKIFF_DATA_DIR=(.+)$/m.exec(textOf(`${directory}/skiff.env`) ?? "")?.[1];
  return inEnvironment ?? inConfiguration(textOf(`${directory}/config.yaml`)) ?? "/var/lib/skiff";
}

function textOf(file: string): string | undefined {
  try {
    return readIfExists(file);
  } catch (error) {
    if (isClosed(error)) return undefined;
    throw error;
  }
}

function inConfiguration(text: string | undefined): string | undefined {
  try {
    const settings = load(text ?? "") as { "data-dir"?: unknown } | undefined;
    return typeof settings?.["data-dir"] === "string" ? settings["data-dir"] : undefined;
  } catch {
    return undefined;
  }
}
