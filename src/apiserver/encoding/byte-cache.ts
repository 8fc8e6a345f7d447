/** Bytes kept per generation. Two generations bound what a machine with little memory spends on this. */
const generationBytes = 4 << 20;

/**
 * Remembers what `encode` made of an object, for all who read it: the cacher holds one object per revision, so its identity is the key.
 * What hasn't been asked for in two generations is made anew.
 */
export function createByteCache<Arguments extends readonly unknown[]>(encode: (object: object, ...rest: Arguments) => Buffer): (object: object, ...rest: Arguments) => Buffer {
  let young = new WeakMap<object, Buffer>(), old = young, youngBytes = 0;
  return (object, ...rest) => {
    const known = young.get(object);
    if (known) return known;
    const bytes = old.get(object) ?? encode(object, ...rest);
    if (youngBytes > generationBytes) {
      old = young;
      young = new WeakMap();
      youngBytes = 0;
    }
    young.set(object, bytes);
    youngBytes += bytes.length;
    return bytes;
  };
}
