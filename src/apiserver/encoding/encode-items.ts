/** How long a list may hold everybody else up, and after how many items to look at the clock. */
const sliceMs = 10, lookEvery = 32;

/** The bytes of each item of a list. A long list is encoded in slices, between which others are served. */
export function encodeItems<T>(items: readonly T[], encode: (item: T) => Buffer): Buffer[] | Promise<Buffer[]> {
  const encoded: Buffer[] = [];
  /** Goes on for a slice; whether it got to the end. */
  const slice = (): boolean => {
    const end = performance.now() + sliceMs;
    while (encoded.length < items.length) {
      encoded.push(encode(items[encoded.length]!));
      if (encoded.length % lookEvery === 0 && performance.now() > end) return encoded.length === items.length;
    }
    return true;
  };
  return slice() ? encoded : rest(slice).then(() => encoded);
}

async function rest(slice: () => boolean): Promise<void> {
  do await new Promise((resolve) => setImmediate(resolve));
  while (!slice());
}
