import type { Program } from "../cel.ts";
import { compile } from "../compile.ts";
import type { Environment } from "../environment.ts";
import { boolType, dynType, listType, nullType, sameType, stringType, typeString, type CelType } from "../type.ts";
import { admissionEnvironment, applyConfigurationType, jsonPatchType, type AdmissionDeclarations } from "./environment.ts";

export type ExpressionPurpose = "matchCondition" | "variable" | "validation" | "messageExpression" | "auditAnnotation" | "applyConfiguration" | "jsonPatch";

/** What an expression must give, by what it is for; anything where nothing is said. */
const resultTypes: Readonly<Partial<Record<ExpressionPurpose, readonly CelType[]>>> = {
  matchCondition: [boolType], validation: [boolType], messageExpression: [stringType], auditAnnotation: [stringType, nullType],
  applyConfiguration: [applyConfigurationType], jsonPatch: [listType(jsonPatchType)],
};

/** `internal` failures are said to be internal errors, as Kubernetes does for literals that can't be converted. */
export interface CompilationFailure {
  detail: string;
  internal: boolean;
}

export type CompiledExpression = { readonly program: Program; readonly failure?: undefined } | { readonly program?: undefined; readonly failure: CompilationFailure };

/** Compiles for a purpose, worded as k8s.io/apiserver/pkg/admission/plugin/cel/compile.go. */
export function compileFor(purpose: ExpressionPurpose, source: string, environment: Environment): CompiledExpression {
  const { program, ...refused } = compile(source, environment);
  if (!program) {
    const { issues, stage } = refused as { issues: string; stage: string };
    const wrongType = stage === "compilation";
    return { failure: { detail: wrongType ? `compilation failed: ${issues}` : `program instantiation failed: ${issues}`, internal: !wrongType } };
  }
  const wanted = resultTypes[purpose];
  if (!wanted || wanted.some((type) => sameType(type, program.type))) return { program };
  const shown = wanted.length === 1 ? typeString(wanted[0]!) : `one of [${wanted.map(typeString).join(" ")}]`;
  return { failure: { detail: `must evaluate to ${shown} but got ${typeString(program.type)}`, internal: false } };
}

/** A policy's variables, each compiled with those before it in sight. */
export function compileVariables(variables: readonly { name: string; expression: string }[], declarations: AdmissionDeclarations): { compiled: Map<string, CompiledExpression>; types: Map<string, CelType> } {
  const types = new Map<string, CelType>();
  const compiled = new Map<string, CompiledExpression>();
  const environment = admissionEnvironment({ ...declarations, variables: types });
  for (const { name, expression } of variables) {
    const result = compileFor("variable", expression, environment);
    compiled.set(name, result);
    types.set(name, result.program ? seenAs(result.program.type) : dynType);
  }
  return { compiled, types };
}

const plain = new Set(["bool", "bytes", "double", "duration", "int", "null", "string", "timestamp", "uint"]);

/** Later expressions know scalars, lists and maps of a variable; all else is dyn to them. */
function seenAs(type: CelType): CelType {
  if (plain.has(type.kind)) return type;
  return type.kind === "list" || type.kind === "map" ? { ...type, params: type.params.map(seenAs) } : dynType;
}
