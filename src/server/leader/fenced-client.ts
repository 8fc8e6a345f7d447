import type { Client } from "../../client/client.ts";

const writes: ReadonlySet<PropertyKey> = new Set<keyof Client>(["create", "createSubresource", "update", "patch", "delete", "deleteCollection"]);

/** A client whose writes are refused, before anything is sent, when `mayWrite` throws. */
export function fencedClient(client: Client, mayWrite: () => void): Client {
  return new Proxy(client, {
    get(target, name) {
      const method = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
      if (!writes.has(name)) return method.bind(target);
      return async (...args: unknown[]) => {
        mayWrite();
        return method.apply(target, args);
      };
    },
  });
}
