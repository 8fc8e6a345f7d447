import type { Client } from "../../src/client/client.ts";

const writes = new Set<PropertyKey>(["create", "createSubresource", "update", "patch", "delete", "deleteCollection"]);

export interface MortalClient {
  client: Client;
  /** How many writes it made. */
  readonly written: number;
  /** A write has begun and not ended. */
  readonly busy: boolean;
  /** Resolves when what it had begun is done: then another may take over, as after a `kill -9`. */
  settled(): Promise<void>;
}

/** A client whose process dies before a write, once it has made so many: that write never ends, nor does any after it. */
export function mortalClient(client: Client, life: number, die: () => void): MortalClient {
  const begun: Promise<unknown>[] = [];
  let ended = 0;
  const guarded = new Proxy(client, {
    get(target, name) {
      const method = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
      if (!writes.has(name)) return method.bind(target);
      return (...args: unknown[]) => {
        if (begun.length >= life) {
          die();
          return new Promise(() => undefined);
        }
        const write = method.apply(target, args).finally(() => void ended++);
        begun.push(write);
        return write;
      };
    },
  });
  return {
    client: guarded,
    get written() {
      return begun.length;
    },
    get busy() {
      return ended < begun.length;
    },
    async settled() {
      await Promise.allSettled(begun);
    },
  };
}
