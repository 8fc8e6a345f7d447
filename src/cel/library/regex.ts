import { method, type Library } from "../function.ts";
import { intType, listType, stringType } from "../type.ts";
import { CelError, ListOf, type Value } from "../values/value.ts";
import { compileRegex } from "./re2.ts";

function find(text: string, pattern: string): Value {
  const regex = compileRegex(pattern);
  return regex instanceof CelError ? new CelError(`Illegal regex: ${regex.message}`) : regex.first(text) ?? "";
}

function findAll(text: string, pattern: string, limit = -1n): Value {
  const regex = compileRegex(pattern);
  return regex instanceof CelError ? new CelError(`Illegal regex: ${regex.message}`) : new ListOf(regex.all(text, Number(limit)));
}

export const regex: Library = {
  find: [method("string_find_string", [stringType, stringType], stringType, find)],
  findAll: [
    method("string_find_all_string", [stringType, stringType], listType(stringType), findAll),
    method("string_find_all_string_int", [stringType, stringType, intType], listType(stringType), findAll),
  ],
};
