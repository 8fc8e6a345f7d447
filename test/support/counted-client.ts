import type { Client } from "../../src/client/client.ts";

/** A client, and what waits for the answers that it waits for; true when there were some. */
export function countedClient(client: Client): { client: Client; idle(): Promise<boolean> } {
  const asked = new Set<Promise<unknown>>();
  return {
    client: new Proxy(client, {
      get(target, name) {
        const method = (Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>).bind(target);
        return (...args: unknown[]) => {
          const answer = method(...args), done: Promise<unknown> = answer.then(() => asked.delete(done), () => asked.delete(done));
          asked.add(done);
          return answer;
        };
      },
    }),
    async idle() {
      const some = asked.size > 0;
      await Promise.all(asked);
      return some;
    },
  };
}
