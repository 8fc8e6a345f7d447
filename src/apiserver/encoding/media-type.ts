/** One clause of an Accept header, or a Content-Type. Type and parameter names are lower case. */
export interface MediaType {
  type: string;
  parameters: Readonly<Record<string, string>>;
  q: number;
}

/** Reads an Accept header; best first, equal q in the order given. An absent or empty header accepts anything. */
export function parseAccept(header: string | undefined): MediaType[] {
  if (!header?.trim()) return [{ type: "*/*", parameters: {}, q: 1 }];
  const clauses = header.split(",").map((clause) => parseMediaType(clause)).filter(({ type, q }) => type !== "" && q > 0);
  return clauses.sort((a, b) => b.q - a.q);
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
  return { type: type.trim().toLowerCase(), parameters, q };
}

export const accepts = (clause: MediaType, type: string): boolean =>
  clause.type === type || clause.type === "*/*" || (clause.type.endsWith("/*") && type.startsWith(clause.type.slice(0, -1)));
