import { configureSync, getLogger, type LogRecord } from "@logtape/logtape";

export type LogLevel = "debug" | "info" | "warning" | "error";
export type LogFields = Record<string, unknown>;

/** A constant message plus key/values; the component is bound once. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** The logger of one component, such as `logger("kubelet")`. Cheap; silent until `configureLogging` has run. */
export function logger(component: string): Logger {
  const inner = getLogger(["skiff", component]);
  return {
    debug: (message, fields) => inner.debug(message, fields ?? {}),
    info: (message, fields) => inner.info(message, fields ?? {}),
    warn: (message, fields) => inner.warn(message, fields ?? {}),
    error: (message, fields) => inner.error(message, fields ?? {}),
  };
}

/** Sends all logs of `level` and above to `write`, one line each: logfmt as systemd users read it, or JSON. */
export function configureLogging({ level, format, write = (line) => process.stderr.write(line) }: {
  level: LogLevel;
  format: "text" | "json";
  write?: (line: string) => void;
}): void {
  const render = format === "json" ? renderJson : renderText;
  configureSync({
    reset: true,
    sinks: { out: (record) => write(render(record)) },
    loggers: [
      { category: ["skiff"], lowestLevel: level, sinks: ["out"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["out"] },
    ],
  });
}

function renderText(record: LogRecord): string {
  const fields = Object.entries(record.properties).map(([key, value]) => ` ${key}=${quote(value)}`).join("");
  return `${new Date(record.timestamp).toISOString()} ${record.level.toUpperCase().padEnd(7)} ${record.category.slice(1).join(".")}: ${record.rawMessage}${fields}\n`;
}

function renderJson(record: LogRecord): string {
  const fields = Object.fromEntries(Object.entries(record.properties).map(([key, value]) => [key, plain(value)]));
  return JSON.stringify({ time: new Date(record.timestamp).toISOString(), level: record.level, component: record.category.slice(1).join("."), message: record.rawMessage, ...fields }) + "\n";
}

function quote(value: unknown): string {
  const text = plain(value);
  const shown = typeof text === "string" ? text : isTexts(text) ? text.join(",") : JSON.stringify(text) ?? "undefined";
  return /[\s"=]/.test(shown) ? JSON.stringify(shown) : shown;
}

const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === "string");

function plain(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const cause = value.cause instanceof Error ? String(plain(value.cause)) : "";
  return value.message.includes(cause) ? value.message : `${value.message}: ${cause}`;
}
