import type { Frozen } from "../../apimachinery/meta.ts";
import type { ValidationRule } from "../../apis/generated/apiextensions/v1.ts";
import type { DeclType, Program } from "../../cel/cel.ts";
import { compile } from "../../cel/compile.ts";
import { createEnvironment } from "../../cel/environment.ts";
import { declTypeOf, type SchemaLike } from "../../cel/schema/decl-type.ts";
import { optionalType } from "../../cel/type.ts";
import { additionalOf, isEmbedded, itemsOf, type Schema } from "../schema/schema.ts";
import { fieldPathOf } from "./field-path.ts";

/** One rule of x-kubernetes-validations, ready to run, or why it can't. */
export interface CompiledRule {
  rule: Frozen<ValidationRule>;
  program?: Program;
  message?: Program;
  /** What is wrong with the rule, and with its messageExpression. */
  error?: string;
  messageError?: string;
  usesOldSelf: boolean;
  /** Where its errors are to be, below the value: `spec.parts[a.b]`. */
  fieldPath?: string;
}

export interface NodeRules {
  rules: readonly CompiledRule[];
  /** Of the value: what self is converted by. */
  decl: DeclType;
}

const compiled = new WeakMap<Schema, NodeRules | null>();

/** The rules of a schema itself, compiled when they are first needed; undefined where there are none or CEL can't see the value. */
export function rulesOf(schema: Schema): NodeRules | undefined {
  let found = compiled.get(schema);
  if (found === undefined) compiled.set(schema, found = compileRules(schema));
  return found ?? undefined;
}

const declOf = (schema: Schema): DeclType | undefined => declTypeOf(schema as SchemaLike, "selfType", isEmbedded(schema));

function compileRules(schema: Schema): NodeRules | null {
  const rules = schema["x-kubernetes-validations"] ?? [];
  const decl = rules.length > 0 ? declOf(schema) : undefined;
  return decl ? { decl, rules: rules.map((rule) => compileRule(rule, schema, decl)) } : null;
}

function compileRule(rule: Frozen<ValidationRule>, schema: Schema, decl: DeclType): CompiledRule {
  if (rule.rule.trim() === "") return { rule, usesOldSelf: false };
  const environment = createEnvironment({ variables: { self: decl, oldSelf: rule.optionalOldSelf ? optionalType(decl.type) : decl } });
  const compiledRule = compile(rule.rule, environment), { program } = compiledRule;
  if (!program) return { rule, usesOldSelf: false, error: `${compiledRule.stage === "instantiation" ? "program instantiation failed" : "compilation failed"}: ${compiledRule.issues}` };
  const result: CompiledRule = { rule, program, usesOldSelf: program.references.has("oldSelf") };
  if (program.type.kind !== "bool") return { rule, usesOldSelf: false, error: "cel expression must evaluate to a bool" };
  if (rule.fieldPath) result.fieldPath = fieldPathOf(rule.fieldPath, schema);
  if (!rule.messageExpression) return result;
  const message = compile(rule.messageExpression, environment);
  if (!message.program) result.messageError = message.stage === "instantiation" ? `messageExpression instantiation failed: ${message.issues}` : `messageExpression compilation failed: ${message.issues}`;
  else if (message.program.type.kind !== "string") result.messageError = "messageExpression must evaluate to a string";
  else result.message = message.program;
  return result;
}

const below = new WeakMap<Schema, boolean>();

/** Whether there are rules anywhere in a schema. */
export function hasRules(schema: Schema): boolean {
  let found = below.get(schema);
  if (found === undefined) {
    const inner = [...Object.values(schema.properties ?? {}), itemsOf(schema), additionalOf(schema)];
    found = (schema["x-kubernetes-validations"] ?? []).length > 0 || inner.some((one) => one !== undefined && hasRules(one));
    below.set(schema, found);
  }
  return found;
}
