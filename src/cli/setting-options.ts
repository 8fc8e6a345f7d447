import { Option, type Command } from "commander";
import { configureLogging, type LogLevel } from "../base/log.ts";
import type { Setting, SettingValues } from "../server/options.ts";
import { coerce, defaultConfigFile, environmentName, readGiven, UsageError, withDefaults } from "../server/settings.ts";

/** Gives a command all settings of a table as flags; `run` gets their values, read from everywhere, and logs go where they say. */
export function addSettings(command: Command, settings: readonly Setting[], run: (values: SettingValues) => Promise<void>): void {
  command.addOption(new Option("-c, --config <file>", `settings as "name: value" lines; files in <file>.d/ are read after it`).default(defaultConfigFile).env("SKIFF_CONFIG"));
  addSettingFlags(command, settings);
  command.addHelpText("after", `
Every setting is also a key of the configuration file (data-dir: /mnt/ssd) and an environment
variable (${environmentName("data-dir")}). A flag wins over the environment, that over the files.`);
  command.action(async (flags: Record<string, unknown>) => {
    const given = readGiven(settings, {
      flags: kebab(flags), environment: process.env, configFile: String(flags["config"]), configRequired: flags["config"] !== defaultConfigFile, command: command.name() as "server" | "agent",
    });
    const values = withDefaults(settings, given);
    configureLogging({ level: logLevel(String(values["log-level"])), format: values["log-format"] === "json" ? "json" : "text" });
    await run({ ...values, config: String(flags["config"]), given: Object.keys(given) });
  });
}

export function addSettingFlags(command: Command, settings: readonly Setting[]): void {
  for (const setting of settings) command.addOption(optionOf(setting));
}

const yesOrNo = "[true|false]";

/** For commands that take arguments: what follows a flag that may say true or false is its value in that case alone. commander would take any word for it. */
export function separateFlags(program: Command, argv: readonly string[]): string[] {
  const all = (command: Command): readonly Option[] => [...(command.registeredArguments.length + command.commands.length > 0 ? command.options : []), ...command.commands.flatMap(all)];
  const flags = new Set(all(program).filter(({ flags }) => flags.endsWith(yesOrNo)).map(({ long }) => long));
  const end = argv.indexOf("--");
  return argv.map((word, at) => (flags.has(word) && (end < 0 || at < end) && !/^(true|false|1|0)$/.test(argv[at + 1] ?? "") ? `${word}=true` : word));
}

function optionOf(setting: Setting): Option {
  const value = setting.placeholder ?? (setting.type === "number" ? "number" : "value");
  const flag = setting.type === "boolean" ? `--${setting.name} ${yesOrNo}` : `--${setting.name} <${value}>`;
  const shown = setting.defaultText ?? (setting.default === undefined || setting.default === false ? undefined : String(setting.default));
  const option = new Option(flag, setting.description + (shown ? ` (default: ${shown})` : "") + (setting.type === "list" ? " (may be repeated)" : "")).helpGroup(`${setting.group}:`);
  return option.argParser((text: string, previous: unknown) => {
    const parsed = coerce(setting, text, `--${setting.name}`);
    return Array.isArray(parsed) && Array.isArray(previous) ? [...previous, ...parsed] : parsed;
  });
}

/** commander hands back `dataDir`; settings are called `data-dir`. */
export function kebab(flags: Record<string, unknown>): SettingValues {
  return Object.fromEntries(Object.entries(flags).map(([name, value]) => [name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`), value as SettingValues[string]]));
}

function logLevel(text: string): LogLevel {
  const levels: readonly LogLevel[] = ["debug", "info", "warning", "error"];
  const level = levels.find((l) => l === text);
  if (!level) throw new UsageError(`--log-level must be one of ${levels.join(", ")}, not ${JSON.stringify(text)}`);
  return level;
}
