import { edenGC } from "bun:jsc";

/**
 * What to call with how many things have come that stay: after each `every` of them the garbage made beside them is collected. They then lie
 * close together; left to itself, the runtime lets a burst double the heap first, and what stays lies thinly over memory that can't be given
 * back. It takes a few milliseconds, which grow with what is new and not with what is old.
 */
export function youngGarbage({ every, collect = edenGC }: { every: number; collect?: () => void }): (arrived: number) => void {
  let since = 0;
  return (arrived) => {
    since += arrived;
    if (since < every) return;
    since = 0;
    collect();
  };
}
