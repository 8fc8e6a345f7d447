import { KubectlError } from "./errors.ts";
import { bool, text } from "./flags.ts";
import { objectName, type PlainObject } from "./objects.ts";
import { printerOf } from "./output.ts";

/** Flags of commands that change something. */
export const writingFlags = {
  output: text("Output format: json, yaml, name, jsonpath=..., ...", { short: "o" }),
  showManagedFields: bool("If true, keep the managedFields when printing objects in JSON or YAML format."),
  dryRun: text('Must be "none", "server", or "client".', { default: "none", bare: "client" }),
} as const;

export type DryRun = "none" | "client" | "server";

export interface WritingFlags { output: string; showManagedFields: boolean; dryRun: string }

export function dryRunOf({ dryRun }: { dryRun: string }): DryRun {
  if (dryRun === "none" || dryRun === "client" || dryRun === "server") return dryRun;
  throw new KubectlError(`Invalid dry-run value (${dryRun}). Must be "none", "server", or "client".`);
}

/** Of a request that changes something. */
export const writeQuery = (flags: { dryRun: string; fieldManager?: string; validate?: string }) => ({
  ...(dryRunOf(flags) === "server" ? { dryRun: "All" } : {}), ...(flags.fieldManager ? { fieldManager: flags.fieldManager } : {}), ...(flags.validate === undefined ? {} : { fieldValidation: fieldValidationOf(flags.validate) }),
});

function fieldValidationOf(validate: string): string {
  const meaning: Record<string, string> = { strict: "Strict", true: "Strict", warn: "Warn", ignore: "Ignore", false: "Ignore" };
  const found = meaning[validate.toLowerCase()];
  if (!found) throw new KubectlError(`invalid - validate option ${JSON.stringify(validate)}; must be one of: strict (or true), warn, ignore (or false)`);
  return found;
}

export const validateFlag = { validate: text('Must be one of: strict (or true), warn, ignore (or false).', { default: "strict", bare: "strict" }) } as const;

export const fieldManagerFlag = <const Name extends string>(name: Name) => ({ fieldManager: text("Name of the manager used to track field ownership.", { default: name }) }) as const;

/** `deployment.apps/web created`, or the object when `-o` asks for it. */
export function outcomeText(object: PlainObject, operation: string, { output, showManagedFields, dryRun }: WritingFlags): string {
  if (output && output !== "wide") return printerOf(output, { showManagedFields })(object);
  return `${objectName(object)} ${operation}${dryRun === "client" ? " (dry run)" : dryRun === "server" ? " (server dry run)" : ""}\n`;
}
