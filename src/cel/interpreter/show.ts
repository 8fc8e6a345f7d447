import { toText } from "../values/convert.ts";
import { runtimeType } from "../values/type-of.ts";
import { isList, isMap, itemsOf, type Value } from "../values/value.ts";

/** A value as messages print it. */
export function text(value: Value): string {
  if (value === null) return "null";
  if (isList(value)) return `[${[...itemsOf(value)].map(text).join(", ")}]`;
  if (isMap(value)) return `{${[...value.keys()].map((key) => `${text(key)}: ${text(value.get(key)!)}`).join(", ")}}`;
  const plain = toText(value);
  return typeof plain === "string" ? plain : runtimeType(value).name;
}
