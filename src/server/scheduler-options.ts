import { readFileSync } from "node:fs";
import { ConfigurationError } from "../scheduler/configuration/decode.ts";
import { parseSchedulerConfiguration, type ParsedConfiguration } from "../scheduler/configuration/parse.ts";
import type { Setting, SettingValues } from "./options.ts";
import { UsageError } from "./settings.ts";

export const schedulerSettings = [
  { name: "scheduler-config", type: "string", placeholder: "file", group: "Cluster", description: "Profiles and plugins of the scheduler (KubeSchedulerConfiguration of kubescheduler.config.k8s.io/v1)" },
] as const satisfies readonly Setting[];

/** Undefined when there is no file. Throws a `UsageError` for one that can't be used. */
export function parseSchedulerOptions(values: SettingValues): ParsedConfiguration | undefined {
  const file = values["scheduler-config"];
  if (file === undefined || file === "") return undefined;
  const fail = (reason: string, cause: unknown): UsageError => new UsageError(`--scheduler-config ${String(file)} can't be used: ${reason}`, { cause });
  let text: string;
  try {
    text = readFileSync(String(file), "utf8");
  } catch (error) {
    throw fail((error as Error).message, error);
  }
  try {
    return parseSchedulerConfiguration(text);
  } catch (error) {
    throw error instanceof ConfigurationError ? fail(error.message, error) : error;
  }
}
