/** As long as Kubernetes believes what it has found out about a token, in milliseconds. */
const lifetime = 10_000;
const most = 1024;

export interface Verified<T> {
  value: T;
  /** When the token itself ends, in milliseconds since the epoch. */
  expires: number;
}

/**
 * Remembers what a token was found to be for ten seconds, though not beyond the token's end, so that a client's requests in a row cost one
 * verification. Failures are not remembered; requests with the same token at once share the work.
 */
export function rememberBriefly<T>(verify: (token: string) => Promise<Verified<T>>, { now }: { now(): number }): (token: string) => Promise<T> {
  const known = new Map<string, { found: Promise<T>; until: number }>();
  return (token) => {
    const remembered = known.get(token);
    if (remembered && now() < remembered.until) return remembered.found;
    known.delete(token);
    if (known.size >= most) known.delete(known.keys().next().value!);
    const entry = { found: verify(token).then(({ value, expires }) => {
      entry.until = Math.min(entry.until, expires);
      return value;
    }), until: now() + lifetime };
    known.set(token, entry);
    entry.found.catch(() => {
      if (known.get(token) === entry) known.delete(token);
    });
    return entry.found;
  };
}
