import type { AnyResource } from "../../apimachinery/resource.ts";
import { anyone } from "./anyone.ts";

/** What a table test does to a card's example; loosely typed, since tests also do what types forbid. */
export type Change = (o: Record<string, any>) => void;

/** The card's example, changed, as it is about to be stored. */
export function made(card: AnyResource, change: Change): any {
  const object = card.example!();
  change(object);
  card.default?.(object);
  card.strategy.prepareForCreate?.(object, anyone);
  return object;
}
