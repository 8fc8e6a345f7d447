import { semanticEqual } from "../../../apimachinery/equality.ts";
import type { Frozen, KubeObject } from "../../../apimachinery/meta.ts";
import { objectSchemaOf } from "../../../apimachinery/object-schema.ts";
import { apiVersionOf, type AnyResource } from "../../../apimachinery/resource.ts";
import { StatusError } from "../../../apimachinery/status.ts";
import type { MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding, Mutation } from "../../../apis/generated/admissionregistration/v1.ts";
import { PolicyEvaluation } from "../../../cel/admission/evaluate.ts";
import type { Variables } from "../../../cel/cel.ts";
import type { Value } from "../../../cel/values/value.ts";
import { defineAdmission, type Admission, type AdmissionAttributes } from "../admission.ts";
import { refuse } from "../refuse.ts";
import { replaceWith } from "../webhook/versions.ts";
import { isExempt } from "../webhook/webhook.ts";
import { applyConfiguration } from "./apply-configuration.ts";
import { applyPatchExpression } from "./json-patch.ts";
import type { Param } from "./params.ts";
import { boundPolicies, policyCompiler, variablesFor, type Bound, type CompiledPolicy, type PolicyDependencies } from "./policies.ts";
import type { RequestView } from "./request-variables.ts";

const pluginName = "MutatingAdmissionPolicy";

type BoundMutation = Bound<MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding>;

/** What is remembered from one round of admission to the next: as for webhooks. */
interface Memory {
  reinvocable: Set<string>;
  due: Set<string>;
  lastOutput: unknown;
}

interface PolicyError {
  message: string;
  reason?: string;
}

/**
 * Changes what policies say, one after the other in order of their names.
 * Source: k8s.io/apiserver/pkg/admission/plugin/policy/{generic,mutating}.
 */
export function mutatingAdmissionPolicy(dependencies: PolicyDependencies): Admission {
  const { listers } = dependencies;
  const policies = listers<MutatingAdmissionPolicy>("admissionregistration.k8s.io", "mutatingadmissionpolicies");
  const bindings = listers<MutatingAdmissionPolicyBinding>("admissionregistration.k8s.io", "mutatingadmissionpolicybindings");
  const compiled = policyCompiler();

  /** Runs a bound policy with one of its params; whether that changed the object. */
  async function invoke({ policy, binding, view }: BoundMutation, param: Param, memory: Memory, attributes: AdmissionAttributes, failed: (error: unknown) => void): Promise<boolean> {
    const program = compiled(policy);
    try {
      if (!program.conditionsHold(variablesFor(view!, policy, param))) return false;
    } catch (error) {
      failed(error);
      return false;
    }
    const id = JSON.stringify([policy.metadata.name, binding?.metadata.name, param?.metadata.namespace, param?.metadata.name]);
    if (attributes.reinvocation?.again && !memory.due.has(id)) return false;
    const changed = await mutate(policy, program, view!, param, failed);
    if (changed) {
      requireReinvocation(memory);
      attributes.reinvocation?.request();
    }
    if (policy.spec.reinvocationPolicy === "IfNeeded") memory.reinvocable.add(id);
    return changed;
  }

  return defineAdmission({
    name: pluginName,
    operations: ["CREATE", "UPDATE", "CONNECT"],
    resources: ["*"],
    async admit(attributes) {
      const all = bindings.list();
      if (all.length === 0 || isExempt(attributes)) return;
      const bound = await boundPolicies<MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding>(policies.list(), all, attributes, dependencies);
      if (bound.length === 0) return;
      const memory = memoryOf(attributes);
      if (attributes.reinvocation?.again && !Bun.deepEquals(memory.lastOutput, attributes.object)) requireReinvocation(memory);
      const errors: PolicyError[] = [];
      const changed = new Set<RequestView>();
      for (const one of bound) {
        const failed = (error: unknown, reason?: string): void => {
          if (one.policy.spec.failurePolicy !== "Ignore") errors.push({ message: denialOf(one, (error as Error).message), reason });
        };
        if (one.error) failed(new Error(`failed to configure ${one.error.ofPolicy ? "policy" : "binding"}: ${one.error.message}`));
        else for (const param of one.params) if (await invoke(one, param, memory, attributes, (error) => failed(error, "Invalid"))) changed.add(one.view!);
      }
      for (const { card, objects } of changed) if (card !== attributes.card) await replaceWith(attributes.object!, objects.object!, card, attributes.card);
      memory.lastOutput = structuredClone(attributes.object);
      if (errors.length > 0) throw refusal(attributes, errors);
    },
  });
}

function denialOf({ policy: { metadata: { name = "" } }, binding }: BoundMutation, message: string): string {
  return binding ? `policy '${name}' with binding '${binding.metadata.name}' denied request: ${message}` : `policy ${JSON.stringify(name)} denied request: ${message}`;
}

function refusal(attributes: AdmissionAttributes, errors: readonly PolicyError[]): StatusError {
  const { status } = refuse(attributes, "admission request denied by policy");
  const [{ message, reason }] = errors as [PolicyError];
  return new StatusError({ ...status, message, ...(reason && { reason }), details: { ...status.details, causes: errors.map((error) => ({ message: error.message })) } });
}

function memoryOf({ reinvocation }: AdmissionAttributes): Memory {
  const known = reinvocation?.memory.get(pluginName) as Memory | undefined;
  if (known) return known;
  const memory: Memory = { reinvocable: new Set(), due: new Set(), lastOutput: undefined };
  reinvocation?.memory.set(pluginName, memory);
  return memory;
}

function requireReinvocation(memory: Memory): void {
  for (const id of memory.reinvocable) memory.due.add(id);
  memory.reinvocable.clear();
}

/** A policy's mutations, each on what those before have made of the object. One that fails leaves it to the next. */
async function mutate(policy: Frozen<MutatingAdmissionPolicy>, program: CompiledPolicy, view: RequestView, param: Param, failed: (error: unknown) => void): Promise<boolean> {
  const { object } = view.objects;
  // The body of a subresource, such as a Binding, has no schema to merge by.
  if (!object || (object.kind !== undefined && object.kind !== view.card.kind)) return false;
  let changed = false;
  for (const mutation of policy.spec.mutations ?? []) {
    try {
      const before = { ...object, apiVersion: apiVersionOf(view.card), kind: view.card.kind };
      const after = patched(mutation, program, variablesFor(view, policy, param), before, view.card);
      if (semanticEqual(after, before)) continue;
      await replaceWith(object, after, view.card, view.card);
      changed = true;
    } catch (error) {
      failed(error);
    }
  }
  return changed;
}

function patched({ patchType, applyConfiguration: apply, jsonPatch }: Frozen<Mutation>, program: CompiledPolicy, given: Variables, object: KubeObject, card: AnyResource): KubeObject {
  const isApply = patchType === "ApplyConfiguration";
  const value = evaluated(program, isApply ? "applyConfiguration" : "jsonPatch", (isApply ? apply : jsonPatch)?.expression ?? "", given);
  const schema = objectSchemaOf(card);
  const result = isApply ? applyConfiguration(object, value, schema.mergeType) : applyPatchExpression(object, value);
  const decoded = schema.decode<KubeObject>(result, { fieldValidation: "Ignore" }).object;
  card.default?.(decoded);
  return decoded;
}

function evaluated(program: CompiledPolicy, purpose: "applyConfiguration" | "jsonPatch", source: string, given: Variables): Value {
  const expression = program.expression(purpose, source);
  if (expression.failure) throw new Error(expression.failure.detail);
  const { value, error } = new PolicyEvaluation(given, program.variables).evaluate(expression);
  if (error !== undefined) throw new Error(error);
  return value;
}
