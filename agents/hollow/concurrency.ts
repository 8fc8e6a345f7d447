import type { Client } from "../../src/client/client.ts";

/** The same client with at most so many writes under way; more wait their turn, first come, first served. */
export function withLimitedWrites(client: Client, limit: number): Client {
  const waiting: (() => void)[] = [];
  let underWay = 0;
  async function limited<T>(write: () => Promise<T>): Promise<T> {
    if (underWay >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
    else underWay++;
    try {
      return await write();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else underWay--;
    }
  }
  return {
    ...client,
    create: (...call) => limited(() => client.create(...call)),
    update: (...call) => limited(() => client.update(...call)),
    patch: (...call) => limited(() => client.patch(...call)),
    delete: (...call) => limited(() => client.delete(...call)),
  };
}
