/** The words and signs of a label selector. The last one is `end`. */
export interface Token {
  type: "word" | "operator" | "(" | ")" | "," | "!" | "end";
  /** For operators the canonical form: `==` is `=`, `>` is `gt`. */
  text: string;
}

const operators: Readonly<Record<string, string>> = { "=": "=", "==": "=", "!=": "!=", ">": "gt", "<": "lt" };
const pattern = /\s*(?:(!=|==|=|>|<)|([(),!])|([^\s=!(),<>]+))|\s+$/gy;

export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  for (const [, operator, sign, word] of text.matchAll(pattern)) {
    if (operator) tokens.push({ type: "operator", text: operators[operator]! });
    else if (sign) tokens.push({ type: sign as Token["type"], text: sign });
    else if (word) tokens.push({ type: "word", text: word });
  }
  tokens.push({ type: "end", text: "" });
  return tokens;
}
