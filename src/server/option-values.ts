import { UsageError } from "./settings.ts";

/** An absolute path without a slash at its end. Like those below, throws a `UsageError` that names the flag. */
export function absolute(path: string, flag: string): string {
  if (!path.startsWith("/")) throw new UsageError(`${flag} must be an absolute path, not ${JSON.stringify(path)}`);
  return path.length > 1 ? path.replace(/\/+$/, "") : path;
}

export function port(value: unknown, flag: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 0 || number > 65535) throw new UsageError(`${flag} must be a port number from 0 to 65535, not ${JSON.stringify(value)}`);
  return number;
}

export function oneOf<T extends string>(text: string, allowed: readonly T[], flag: string): T {
  const found = allowed.find((value) => value === text);
  if (!found) throw new UsageError(`${flag} must be one of ${allowed.join(", ")}, not ${JSON.stringify(text)}`);
  return found;
}
