import { parseJsonPath, type JsonPath } from "../apimachinery/jsonpath.ts";
import { KubectlError } from "./errors.ts";
import { goJson } from "./objects.ts";

/** A piece of a template: text, a path's results, or a block that repeats for each of them. */
type Node =
  | { kind: "text"; text: string }
  | { kind: "path"; find: JsonPath }
  | { kind: "range"; find: JsonPath; body: Node[] };

/** What columns show for what isn't there. */
export const missingText = "<none>";

export interface TemplateLook {
  /** The results as a JSON array. */
  asJson?: boolean;
  /** For paths that lead nowhere. Default nothing. */
  missing?: string;
  /** Between several results of one path. Default a space. */
  separator?: string;
}

/** Makes the printer of a JSONPath template such as `{range .items[*]}{.metadata.name}{"\n"}{end}`. Source: https://kubernetes.io/docs/reference/kubectl/jsonpath/ */
export function formatJsonPath(template: string, { asJson = false, missing = "", separator = " " }: TemplateLook = {}): (value: unknown) => string {
  const nodes = parseTemplate(template.includes("{") ? template : `{${template}}`);
  if (asJson) return (value) => `${goJson(nodes.flatMap((node) => (node.kind === "path" ? node.find(value) : [])), 4)}\n`;
  const print = (list: readonly Node[], value: unknown): string => list.map((node) => {
    switch (node.kind) {
      case "text": return node.text;
      case "path": {
        const found = node.find(value);
        return found.length ? found.map(shown).join(separator) : missing;
      }
      case "range": return node.find(value).map((each) => print(node.body, each)).join("");
    }
  }).join("");
  return (value) => print(nodes, value);
}

/** Scalars as they are, the rest as JSON. */
const shown = (value: unknown): string => (typeof value === "object" && value !== null ? goJson(value) : String(value ?? ""));

function parseTemplate(template: string): Node[] {
  const stack: Node[][] = [[]];
  for (const token of tokensOf(template)) {
    const top = stack.at(-1)!;
    if (token.text !== undefined) {
      top.push({ kind: "text", text: token.text });
    } else if (token.action === "end") {
      if (stack.length === 1) throw broken(template, "not in range, nothing to end");
      stack.pop();
    } else if (token.action.startsWith("range ")) {
      const range: Node = { kind: "range", find: pathOf(template, token.action.slice(6).trim()), body: [] };
      top.push(range);
      stack.push(range.body);
    } else {
      top.push(actionOf(template, token.action));
    }
  }
  if (stack.length > 1) throw broken(template, "unterminated range");
  return stack[0]!;
}

type Token = { text: string; action?: undefined } | { text?: undefined; action: string };

/** Splits at braces; quotes within an action protect them. */
function tokensOf(template: string): Token[] {
  const tokens: Token[] = [];
  let position = 0;
  while (position < template.length) {
    const open = template.indexOf("{", position);
    if (open < 0 || open > position) tokens.push({ text: template.slice(position, open < 0 ? undefined : open) });
    if (open < 0) break;
    const action = /\{((?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^"'}])*)\}/y;
    action.lastIndex = open;
    const match = action.exec(template);
    if (!match) throw broken(template, "unclosed action");
    tokens.push({ action: match[1]!.trim() });
    position = action.lastIndex;
  }
  return tokens;
}

function actionOf(template: string, action: string): Node {
  const literal = /^(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')$/.exec(action);
  if (!literal) return { kind: "path", find: pathOf(template, action) };
  const escapes: Record<string, string> = { n: "\n", t: "\t", r: "\r" };
  return { kind: "text", text: (literal[1] ?? literal[2]!).replace(/\\(.)/g, (_, letter: string) => escapes[letter] ?? letter) };
}

function pathOf(template: string, path: string): JsonPath {
  const bare = path.replace(/^[$@]/, "");
  const find = parseJsonPath(bare === "" || bare.startsWith(".") || bare.startsWith("[") ? bare : `.${bare}`);
  if (!find) throw broken(template, `unrecognized expression ${JSON.stringify(path)}`);
  return find;
}

const broken = (template: string, why: string): KubectlError => new KubectlError(`error parsing jsonpath ${template}, ${why}`);
