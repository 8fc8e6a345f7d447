import { invalidValue, type FieldError } from "../../apimachinery/field-errors.ts";

/** What the values of one ConfigMap or Secret may weigh together. */
export const maxDataSize = 1024 * 1024;

const keyMessage = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

/** Keys of ConfigMaps and Secrets become file names. */
export function configKeyErrors(key: string): string[] {
  const messages: string[] = [];
  if (key.length > 253) messages.push("must be no more than 253 bytes");
  if (!/^[-._a-zA-Z0-9]+$/.test(key)) messages.push(keyMessage);
  if (key === ".") messages.push("must not be '.'");
  else if (key === "..") messages.push("must not be '..'");
  else if (key.startsWith("..")) messages.push("must not start with '..'");
  return messages;
}

export const validateConfigKey = (field: string, key: string): FieldError[] => configKeyErrors(key).map((message) => invalidValue(field, key, message));

/** Bytes that base64 text stands for. */
export function base64Length(text: string): number {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return Math.floor((text.length * 3) / 4) - padding;
}
