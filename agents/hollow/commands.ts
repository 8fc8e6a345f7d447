import type { Container } from "../kubelet/pod/pod.ts";
import type { End } from "./behaviour.ts";

const shells = /^(ba|da|a|)sh$/;
/** What would need a real shell: such a script is taken to run on. */
const beyond = /[|$`(){}<>*?&\\]|\b(if|while|until|for|case|trap|wait)\b/;

/**
 * How a well-known command ends: `true`, `false`, `sleep 5`, and `sh -c` with a sequence of those, `echo`, `touch` and `exit 3`. Undefined for
 * everything else: it runs on, as it does where only the image knows what is run.
 */
export function commandEnd({ command, args = [] }: Container): End | undefined {
  const [program = "", ...rest] = [...(command ?? []), ...args];
  if (!command || command.length === 0) return undefined;
  const name = program.slice(program.lastIndexOf("/") + 1);
  if (!shells.test(name)) return simpleCommand([name, ...rest]);
  return /^-\w*c$/.test(rest[0] ?? "") ? scriptEnd(rest[1] ?? "") : undefined;
}

function scriptEnd(script: string): End | undefined {
  let afterMs = 0, code = 0;
  for (const { text, needsSuccess } of steps(script)) {
    if (needsSuccess && code !== 0) continue;
    const words = text.replaceAll(/["']/g, "").split(/\s+/).filter(Boolean);
    const command = words[0] === "exec" ? words.slice(1) : words;
    if (command.length === 0) continue;
    if (command[0] === "exit") return { code: Number(command[1] ?? code) || 0, afterMs };
    // What is written, and where to, makes no difference.
    const end = command[0] === "echo" || command[0] === "touch" ? { code: 0, afterMs: 0 } : beyond.test(text) ? undefined : simpleCommand(command);
    if (!end) return undefined;
    afterMs += end.afterMs;
    code = end.code;
    if (words[0] === "exec") break;
  }
  return { code, afterMs };
}

function steps(script: string): { text: string; needsSuccess: boolean }[] {
  const parts = script.split(/(&&|;|\n)/);
  return parts.filter((_, index) => index % 2 === 0).map((text, index) => ({ text: text.trim(), needsSuccess: index > 0 && parts[index * 2 - 1] === "&&" }));
}

function simpleCommand([name, ...args]: readonly string[]): End | undefined {
  if (name === "true" || name === ":") return { code: 0, afterMs: 0 };
  if (name === "false") return { code: 1, afterMs: 0 };
  if (name !== "sleep") return undefined;
  const seconds = args.map((text) => /^(\d+(?:\.\d+)?)([smhd]?)$/.exec(text));
  if (seconds.length === 0 || seconds.some((match) => !match)) return undefined;
  return { code: 0, afterMs: seconds.reduce((sum, match) => sum + Number(match![1]) * 1000 * unitSeconds[match![2]!]!, 0) };
}

const unitSeconds: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3600, d: 86_400 };
