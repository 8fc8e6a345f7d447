import type { Flags, FlagValues } from "../flags.ts";
import type { PlainObject } from "../objects.ts";
import type { Session } from "../session.ts";

/** What the command line says of the object to make. */
export interface Order<F extends Flags = Flags> {
  name: string;
  /** Arguments behind the name, without those behind `--`. */
  args: string[];
  /** What stood behind `--`. */
  command: string[];
  flags: FlagValues<F>;
  given(flag: string): boolean;
  session: Session;
}

/** One of the words behind `kubectl create`: makes an object from flags. */
export interface Generator {
  name: string;
  aliases?: readonly string[];
  usage: string;
  summary: string;
  flags: Flags;
  /** In front of what the server says when it refuses; without it the refusal stands as it is. */
  failure?: string;
  make(order: Order): PlainObject | Promise<PlainObject>;
}

export const defineGenerator = <const F extends Flags>(generator: Omit<Generator, "flags" | "make"> & { flags: F; make(order: Order<F>): PlainObject | Promise<PlainObject> }): Generator =>
  ({ ...generator, make: (order) => generator.make(order as unknown as Order<F>) });
