const nodeBits = 24;

/** The network address of an IPv4 CIDR, as a number, and its prefix length. Throws an Error for anything else. */
export function parseCidr(text: string): { base: number; bits: number } {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(text);
  const [a, b, c, d, bits] = (match ?? []).slice(1).map(Number);
  if (bits === undefined || bits > 32 || [a, b, c, d].some((byte) => byte! > 255)) throw new Error(`${JSON.stringify(text)} is not an IPv4 CIDR`);
  const address = ((a! << 24) | (b! << 16) | (c! << 8) | d!) >>> 0;
  return { base: bits === 0 ? 0 : (address & (0xffffffff << (32 - bits))) >>> 0, bits };
}

/** The lowest /24 of `cluster` that overlaps none of `taken`; undefined when all are taken. */
export function nextPodCidr(cluster: string, taken: readonly string[]): string | undefined {
  const { base, bits } = parseCidr(cluster);
  if (bits > nodeBits) return undefined;
  const used = taken.map(parseCidr).map(({ base: start, bits: length }) => ({ start, end: start + 2 ** (32 - length) }));
  for (let start = base; start < base + 2 ** (32 - bits); start += 2 ** (32 - nodeBits)) {
    const end = start + 2 ** (32 - nodeBits);
    if (!used.some((range) => range.start < end && start < range.end)) return `${[24, 16, 8, 0].map((shift) => (start >>> shift) & 255).join(".")}/${nodeBits}`;
  }
  return undefined;
}
