import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { load } from "js-yaml";
import { namedInK3s } from "./k3s-names.ts";
import type { Setting, SettingValues } from "./options.ts";

/** A mistake of the user's, in one sentence that says what to do. The CLI prints it and exits with 1. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export const defaultConfigFile = "/etc/skiff/config.yaml";

export interface SettingSources {
  flags: SettingValues;
  environment: Record<string, string | undefined>;
  /** `/etc/skiff/config.yaml`; files in `config.yaml.d` beside it come after it, in order of name. */
  configFile: string;
  /** True when the user named the file, so that it must exist. */
  configRequired: boolean;
  /** Whose --help lists the settings. Default `server`. */
  command?: "server" | "agent";
}

/** Reads every setting: a flag wins over the environment, that over the files, those over the default. */
export function readSettings(settings: readonly Setting[], sources: SettingSources): SettingValues {
  return withDefaults(settings, readGiven(settings, sources));
}

/** As `readSettings`, but of settings of which nothing was said there is nothing. */
export function readGiven(settings: readonly Setting[], { flags, environment, configFile, configRequired, command = "server" }: SettingSources): SettingValues {
  const fromFiles = readConfigFiles(settings, configFile, configRequired, command);
  return Object.fromEntries(settings.flatMap((setting) => {
    const fromEnvironment = environment[environmentName(setting.name)];
    const given = flags[setting.name] ?? (fromEnvironment === undefined || fromEnvironment === "" ? undefined : coerce(setting, fromEnvironment, environmentName(setting.name))) ?? fromFiles[setting.name];
    return given === undefined ? [] : [[setting.name, given]];
  }));
}

export const withDefaults = (settings: readonly Setting[], given: SettingValues): SettingValues => Object.fromEntries(settings.map(({ name, default: value }) => [name, given[name] ?? value]));

export const environmentName = (name: string): string => `SKIFF_${name.toUpperCase().replaceAll("-", "_")}`;

function readConfigFiles(settings: readonly Setting[], configFile: string, mustExist: boolean, command: string): SettingValues {
  if (mustExist && !existsSync(configFile)) throw new UsageError(`the configuration file ${configFile} does not exist: create it, or leave out --config`);
  const dropIns = existsSync(`${configFile}.d`) ? readdirSync(`${configFile}.d`).filter((name) => /\.ya?ml$/.test(name)).sort().map((name) => join(`${configFile}.d`, name)) : [];
  const values: SettingValues = {};
  for (const file of [configFile, ...dropIns]) if (existsSync(file)) Object.assign(values, readConfigFile(settings, file, command));
  return values;
}

function readConfigFile(settings: readonly Setting[], file: string, command: string): SettingValues {
  const text = readFileSync(file, "utf8");
  if (text.split("\n").every((line) => /^\s*(#|$)/.test(line))) return {};
  let content: unknown;
  try {
    content = load(text);
  } catch (error) {
    throw new UsageError(`${file} is not valid YAML: ${(error as Error).message.split("\n")[0]}`, { cause: error });
  }
  if (content === undefined || content === null) return {};
  if (typeof content !== "object" || Array.isArray(content)) throw new UsageError(`${file} must hold settings as "name: value" lines`);
  return Object.fromEntries(Object.entries(content).map(([name, value]) => {
    const setting = settings.find((s) => s.name === name);
    if (!setting) throw new UsageError(`${file} has an unknown setting ${JSON.stringify(name)}: ${namedInK3s(name) ?? `"skiff ${command} --help" lists them`}`);
    return [name, coerce(setting, value, `${name} in ${file}`)];
  }));
}

/** Turns text, or a YAML value, into the setting's type. `where` names it in the error. */
export function coerce(setting: Setting, value: unknown, where: string): string | number | boolean | string[] {
  switch (setting.type) {
    case "list":
      return Array.isArray(value) ? value.map(String) : String(value).split(",").map((item) => item.trim()).filter(Boolean);
    case "number": {
      const number = typeof value === "number" ? value : Number(String(value).trim() || NaN);
      if (!Number.isInteger(number)) throw new UsageError(`${where} must be a whole number, not ${JSON.stringify(value)}`);
      return number;
    }
    case "boolean":
      if (value === true || value === "true" || value === "1") return true;
      if (value === false || value === "false" || value === "0") return false;
      throw new UsageError(`${where} must be true or false, not ${JSON.stringify(value)}`);
    case "string":
      // YAML reads 0600 as a number; what the user wrote is lost, so ask for quotes rather than guess.
      if (setting.name.endsWith("-mode") && typeof value === "number") throw new UsageError(`${where} must be in quotes, such as "0640"`);
      if (value === null || typeof value === "object") throw new UsageError(`${where} must be text`);
      return String(value);
  }
}
