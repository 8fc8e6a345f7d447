import { badRequest } from "../status.ts";

export interface Parsed {
  value: unknown;
  /** Such as `duplicate field "spec.replicas"`; found only when asked for. */
  duplicates: string[];
}

/** Parses a JSON body; of a repeated key the last counts. Throws a 400 StatusError that says where the text is broken, as Go would. */
export function parseJson(text: string, options: { duplicates?: boolean } = {}): Parsed {
  const duplicates: string[] = [];
  try {
    const value: unknown = JSON.parse(text);
    if (options.duplicates && !isJustAsWritten(text, value)) scan(text, duplicates);
    return { value, duplicates };
  } catch (error) {
    throw badRequest(`the object provided is unrecognized: couldn't get version/kind; json parse error: ${fault(text, error)}`);
  }
}

/** Text that its value would be written as says nothing twice, and needs no scan: most programs send such. Longer ones could be too deep. */
const isJustAsWritten = (text: string, value: unknown): boolean =>
  text.length <= deepest && JSON.stringify(value) === (text.endsWith("\n") ? text.slice(0, -1) : text);

/** The scanner's words for what is wrong, since the engine's differ from Go's. */
function fault(text: string, error: unknown): string {
  try {
    scan(text, []);
  } catch (found) {
    return (found as Error).message;
  }
  return (error as Error).message;
}

/** As deep as encoding/json goes. */
const deepest = 10_000;
const literals: Readonly<Record<string, string>> = { t: "true", f: "false", n: "null" };
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/** An object's keys so far, or an array's index. */
interface Frame {
  keys?: Set<string>;
  at: string | number;
}

/** Walks a JSON text once without recursion. Throws an Error in the words of Go's scanner. */
function scan(text: string, duplicates: string[]): void {
  const stack: Frame[] = [];
  let position = 0;

  const fail = (where: string): never => {
    throw new Error(position >= text.length ? "unexpected end of JSON input" : `invalid character ${quote(text[position]!)} ${where}`);
  };
  const skipSpace = (): string => {
    while (position < text.length && " \t\n\r".includes(text[position]!)) position++;
    return text[position] ?? "";
  };
  const readString = (): string => {
    const start = position++;
    for (;;) {
      const code = text.charCodeAt(position);
      if (code === 34) break;
      if (code === 92) {
        position++;
        if (!'"\\/bfnrtu'.includes(text[position] ?? " ")) fail("in string escape code");
      } else if (Number.isNaN(code) || code < 32) fail("in string literal");
      position++;
    }
    return text.slice(start, ++position);
  };
  const readKey = (frame: Frame): void => {
    if (skipSpace() !== '"') fail("looking for beginning of object key string");
    const quoted = readString();
    const key = quoted.includes("\\") ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
    frame.at = key;
    if (frame.keys!.has(key)) duplicates.push(`duplicate field ${JSON.stringify(pathOf(stack))}`);
    frame.keys!.add(key);
    if (skipSpace() !== ":") fail("after object key");
    position++;
  };
  const readScalar = (character: string): void => {
    if (character === '"') {
      readString();
      return;
    }
    const literal = literals[character];
    if (literal) {
      for (let i = 0; i < literal.length; i++, position++) if (text[position] !== literal[i]) fail(`in literal ${literal} (expecting ${quote(literal[i]!)})`);
      return;
    }
    number.lastIndex = position;
    const matched = number.exec(text)?.[0];
    if (matched) position += matched.length;
    else if (character === "-") {
      position++;
      fail("in numeric literal");
    } else fail("looking for beginning of value");
  };
  /** Opens an object or array; false when it is empty and so already closed. */
  const open = (frame: Frame, closing: string): boolean => {
    if (stack.push(frame) > deepest) throw new Error("exceeded max depth");
    position++;
    if (skipSpace() !== closing) {
      if (frame.keys) readKey(frame);
      return true;
    }
    stack.pop();
    position++;
    return false;
  };

  for (;;) {
    const character = skipSpace();
    if (character === "{" && open({ keys: new Set(), at: "" }, "}")) continue;
    if (character === "[" && open({ at: 0 }, "]")) continue;
    if (character !== "{" && character !== "[") readScalar(character);
    if (!closeValue()) return;
  }

  /** After a value: true when another follows. */
  function closeValue(): boolean {
    for (;;) {
      const frame = stack.at(-1), next = skipSpace();
      if (!frame) {
        if (position < text.length) fail("after top-level value");
        return false;
      }
      if (next === ",") {
        position++;
        if (frame.keys) readKey(frame);
        else frame.at = (frame.at as number) + 1;
        return true;
      }
      if (next !== (frame.keys ? "}" : "]")) fail(frame.keys ? "after object key:value pair" : "after array element");
      stack.pop();
      position++;
    }
  }
}

const quote = (character: string): string => (character === "'" ? `'\\''` : character === '"' ? `'"'` : `'${JSON.stringify(character).slice(1, -1)}'`);

function pathOf(stack: readonly Frame[]): string {
  let path = "";
  for (const { at } of stack) path += typeof at === "number" ? `[${at}]` : path ? `.${at}` : at;
  return path;
}
