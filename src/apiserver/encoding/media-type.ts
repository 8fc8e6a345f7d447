/** One clause of an Accept header, or a Content-Type. Type and parameter names are lower case. */
export interface MediaType {
  type: string;
  parameters: Readonly<Record<string, string>>;
  q: number;
}

/** Reads an Accept header, best first. An absent or empty header accepts anything; a `q` of 0 refuses nothing, as with Kubernetes. */
export function parseAccept(header: string | undefined): MediaType[] {
  if (!header?.trim()) return [{ type: "*/*", parameters: {}, q: 1 }];
  const clauses = header.split(",").map((clause) => parseMediaType(clause)).filter(({ type }) => type !== "");
  // By insertion, since `before` is no order: a concrete type goes before a wildcard whatever their `q`.
  for (let i = 1; i < clauses.length; i++) {
    for (let j = i; j > 0 && before(clauses[j]!, clauses[j - 1]!); j--) [clauses[j], clauses[j - 1]] = [clauses[j - 1]!, clauses[j]!];
  }
  return clauses;
}

/** Source: github.com/munnerz/goautoneg, which Kubernetes negotiates with. */
function before(a: MediaType, b: MediaType): boolean {
  return a.q > b.q || (!a.type.startsWith("*") && b.type.startsWith("*")) || (!a.type.endsWith("/*") && b.type.endsWith("/*"));
}

export function parseMediaType(text: string): MediaType {
  const [type = "", ...rest] = text.split(";");
  const parameters: Record<string, string> = {};
  let q = 1;
  for (const parameter of rest) {
    const equals = parameter.indexOf("=");
    if (equals < 0) continue;
    const name = parameter.slice(0, equals).trim().toLowerCase();
    const value = parameter.slice(equals + 1).trim().replace(/^"(.*)"$/, "$1");
    if (name === "q") q = Number.isNaN(Number(value)) ? 0 : Number(value);
    else parameters[name] = value;
  }
  const bare = type.trim().toLowerCase();
  return { type: bare === "*" ? "*/*" : bare, parameters, q };
}

export const accepts = (clause: MediaType, type: string): boolean =>
  clause.type === type || clause.type === "*/*" || (clause.type.endsWith("/*") && type.startsWith(clause.type.slice(0, -1)));
