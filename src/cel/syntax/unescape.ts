const simple: Readonly<Record<string, string>> = { a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };
const sequence = /\\(?:([xX])([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|([^]))/g;

/** The text between the quotes, and whether backslashes in it are plain. */
function inner(token: string): { text: string; raw: boolean } {
  const raw = /^[rR]/.test(token);
  const body = raw ? token.slice(1) : token;
  const quotes = body.length >= 6 && (body.startsWith('"""') || body.startsWith("'''")) ? 3 : 1;
  const text = body.slice(quotes, -quotes);
  return { text: text.replace(/\r\n?/g, "\n"), raw };
}

/** The string a literal stands for; throws an Error on a code point that doesn't exist. */
export function unescapeString(token: string): string {
  const { text, raw } = inner(token);
  if (raw || !text.includes("\\")) return text;
  return text.replace(sequence, (_all, _x, hex?: string, short?: string, long?: string, octal?: string, other?: string) => {
    if (octal !== undefined) return String.fromCodePoint(parseInt(octal, 8));
    const digits = hex ?? short ?? long;
    if (digits === undefined) return simple[other!] ?? other!;
    const point = parseInt(digits, 16);
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) throw new Error("invalid unicode code point");
    return String.fromCodePoint(point);
  });
}

/** As `unescapeString` after the `b`, but `\x` and octal escapes are bytes. */
export function unescapeBytes(token: string): Uint8Array {
  const { text, raw } = inner(token.slice(1));
  if (raw) return Buffer.from(text);
  const parts: Uint8Array[] = [];
  let last = 0;
  for (const match of text.matchAll(sequence)) {
    parts.push(Buffer.from(text.slice(last, match.index)));
    last = match.index + match[0].length;
    const [, , hex, short, long, octal, other] = match;
    if (short ?? long) throw new Error("unable to unescape string");
    parts.push(hex !== undefined ? Buffer.of(parseInt(hex, 16)) : octal !== undefined ? Buffer.of(parseInt(octal, 8)) : Buffer.from(simple[other!] ?? other!));
  }
  parts.push(Buffer.from(text.slice(last)));
  return Buffer.concat(parts);
}
