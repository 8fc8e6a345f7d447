import { type Storage, StorageError } from "../../storage/storage.ts";
import type { Shortage } from "./shortage.ts";

const puts: ReadonlySet<PropertyKey> = new Set<keyof Storage>(["create", "update"]);

/** For an engine elsewhere, whose room can't be watched from here: what it answers to writes tells whether it has some. */
export function tellingRoom(storage: Storage, shortage: Shortage): Storage {
  const tell = (why: string | undefined): void => {
    if (why !== shortage.why) shortage.tell(why);
  };
  return new Proxy(storage, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      if (!puts.has(name)) return (...args: unknown[]) => Reflect.apply(member, target, args) as unknown;
      return async (...args: unknown[]) => {
        try {
          const revision = await (Reflect.apply(member, target, args) as Promise<number>);
          tell(undefined);
          return revision;
        } catch (error) {
          if (error instanceof StorageError && error.code === "full") tell(error.message);
          throw error;
        }
      };
    },
  });
}
