/** Without vowels and what looks like another character, so that no word comes out: k8s.io/apimachinery/pkg/util/rand. */
const alphabet = "bcdfghjklmnpqrstvwxz2456789";
const suffixLength = 5;
const longestName = 63;

/** Random characters that are safe in names. */
export function randomSuffix(length: number = suffixLength): string {
  let suffix = "";
  for (const byte of crypto.getRandomValues(new Uint8Array(length))) suffix += alphabet[byte % alphabet.length];
  return suffix;
}

/** A name from a generateName: the base, cut so that all fits into a DNS label, and five random characters. */
export function generateName(base: string): string {
  return base.slice(0, longestName - suffixLength) + randomSuffix();
}
