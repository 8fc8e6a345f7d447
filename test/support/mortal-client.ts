import type { Client } from "../../src/client/client.ts";

const writes = new Set<PropertyKey>(["create", "createSubresource", "update", "patch", "delete", "deleteCollection"]);

export interface MortalClient {
  client: Client;
  /** How many writes it made. */
  readonly written: number;
  /** Resolves when what it had begun is done: then another may take over, as after a `kill -9`. */
  settled(): Promise<void>;
}

/** A client whose process dies before a write, once it has made so many: that write never ends, nor does any after it. */
export function mortalClient(client: Client, life: number, die: () => void): MortalClient {
  const underWay: Promise<unknown>[] = [];
  const guarded = new Proxy(client, {
    get(target, name) {
      const method = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
      if (!writes.has(name)) return method.bind(target);
      return (...args: unknown[]) => {
        if (underWay.length >= life) {
          die();
          return new Promise(() => undefined);
        }
        const written = method.apply(target, args);
        underWay.push(written);
        return written;
      };
    },
  });
  return {
    client: guarded,
    get written() {
      return underWay.length;
    },
    async settled() {
      await Promise.allSettled(underWay);
    },
  };
}
