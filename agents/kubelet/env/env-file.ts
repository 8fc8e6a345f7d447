import { constants, closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { FileKeySelector } from "../../../src/apis/generated/core/v1.ts";
import { openSubPath } from "../volumes/sub-path.ts";

/** A file that a container wrote is read whole: no more of it than Kubernetes allows an object to have. */
const maxBytes = 1024 * 1024;

/**
 * The value that `fileKeyRef` names, undefined where the file or the key is missing. `volumePath` is where its volume lies on this node, undefined
 * when the pod has none of the name. Throws an Error in a user's words when the file can't be used. Source: https://kep.k8s.io/3721.
 */
export function fileKeyValue({ volumeName, path, key }: Frozen<FileKeySelector>, volumePath: string | undefined): string | undefined {
  if (volumePath === undefined) throw new Error(`cannot find the volume "${volumeName}" referenced by FileKeyRef`);
  const text = readWithin(volumePath, path);
  if (text === undefined) return undefined;
  try {
    return envFileValue(text, key);
  } catch (error) {
    throw new Error(`couldn't parse env file "${path}" of volume "${volumeName}": ${(error as Error).message}`, { cause: error });
  }
}

function readWithin(volumePath: string, path: string): string | undefined {
  let handle: number;
  try {
    handle = openSubPath(volumePath, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const stat = fstatSync(handle);
    // Before it is opened to be read: a pipe would never end, and a container may have put anything there.
    if (!stat.isFile()) throw new Error(`env file "${path}" is not a regular file`);
    if (stat.size > maxBytes) throw new Error(`env file "${path}" is larger than 1 MiB`);
    const file = openSync(`/proc/self/fd/${handle}`, constants.O_RDONLY);
    try {
      return readFileSync(file, "utf8");
    } finally {
      closeSync(file);
    }
  } finally {
    closeSync(handle);
  }
}

/**
 * The value of `key` in a file of lines `NAME='value'`: values stand in single quotes, are literal and may run over several lines; blank lines
 * and `#` comments are passed over; with a blank after the `=` a variable is empty, as a shell would have it. Empty counts as missing.
 * Lines after the key's are not looked at. Throws an Error that names the line.
 */
export function envFileValue(text: string, key: string): string | undefined {
  const lines = text.split(/\r?\n/);
  const wrong = (line: number, what: string): Error => new Error(`line ${line + 1}: ${what}`);
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index]!.replace(/^[ \t]+/, ""), start = index;
    if (line === "" || line.startsWith("#")) continue;
    const equals = line.indexOf("="), name = line.slice(0, equals);
    if (equals === -1) throw wrong(start, "missing '='");
    if (name === "") throw wrong(start, "empty variable name");
    if (/[ \t]$/.test(name)) throw wrong(start, "whitespace before '=' is not allowed");
    let rest = line.slice(equals + 1), value = "";
    if (!/^[ \t]/.test(rest)) {
      if (!rest.startsWith("'")) throw wrong(start, "value must be enclosed in single quotes");
      rest = rest.slice(1);
      while (!rest.includes("'")) {
        if (++index >= lines.length) throw wrong(start, "unclosed single quote");
        value += `${rest}\n`;
        rest = lines[index]!;
      }
      value += rest.slice(0, rest.indexOf("'"));
      const after = rest.slice(rest.indexOf("'") + 1).trimStart();
      if (after !== "" && !after.startsWith("#")) throw wrong(index, "unexpected content after closing quote");
    }
    if (name === key) return value || undefined;
  }
  return undefined;
}
