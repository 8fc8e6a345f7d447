/** Names made from what an object holds: the same data always gives the same name. */

const encoded = new WeakMap<object, string>();

/** JSON as Go encodes a map: sorted keys, and escapes of what HTML would read. Absent members and null are the same. Remembered: `data` must not change any more. */
export function encode(data: object): string {
  let text = encoded.get(data);
  if (text === undefined) encoded.set(data, (text = canonical(data)));
  return text;
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return (JSON.stringify(value) ?? "null").replace(/[<>&\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
  const members = Object.entries(value).filter(([, member]) => member !== undefined && member !== null);
  return `{${members.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, member]) => `${canonical(name)}:${canonical(member)}`).join(",")}}`;
}

/** No vowels and nothing that looks alike, so that no words come out. Source: k8s.io/apimachinery/pkg/util/rand. */
const alphabet = "bcdfghjklmnpqrstvwxz2456789";

/** A letter for each byte. */
export const letters = (bytes: Iterable<number>): string => Array.from(bytes, (byte) => alphabet[byte % alphabet.length]).join("");
