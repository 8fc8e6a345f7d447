/**
 * Names of fields that CEL couldn't spell: https://kubernetes.io/docs/reference/using-api/cel/#escaping.
 */
const reserved = new Set(["true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package", "namespace", "return", "var", "void", "while"]);
const escapes: Readonly<Record<string, string>> = { "__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__" };
const unescapes: Readonly<Record<string, string>> = { underscores: "__", dot: ".", dash: "-", slash: "/" };

/** Undefined for a name that no expression can reach. */
export function escapeName(name: string): string | undefined {
  if (!/^[A-Za-z_./-][A-Za-z0-9_./-]*$/.test(name)) return undefined;
  return reserved.has(name) ? `__${name}__` : name.replace(/__|[-./]/g, (part) => escapes[part]!);
}

/** What an escaped name stands for; names that aren't escaped stand for themselves. */
export function unescapeName(escaped: string): string {
  return escaped.replace(/__([^_]+)__/g, (whole, inner: string) => unescapes[inner] ?? (whole === escaped && reserved.has(inner) ? inner : whole));
}
