import type { Frozen } from "../../../apimachinery/meta.ts";
import { StatusError } from "../../../apimachinery/status.ts";
import type { AuditAnnotation, Validation, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding } from "../../../apis/generated/admissionregistration/v1.ts";
import { OutOfBudget, PolicyEvaluation, type Outcome } from "../../../cel/admission/evaluate.ts";
import type { Variables } from "../../../cel/cel.ts";
import { defineAdmission, type Admission, type AdmissionAttributes } from "../admission.ts";
import { refuse } from "../refuse.ts";
import { isExempt } from "../webhook/webhook.ts";
import { boundPolicies, policyCompiler, variablesFor, type CompiledPolicy, type PolicyDependencies } from "./policies.ts";

/** One reason against a write. */
interface Denial {
  message: string;
  reason?: string;
  /** Its place among the policy's validations. */
  index: number;
}

interface Refusal extends Denial {
  policy: string;
  binding: string | undefined;
}

/** What evaluating a policy has come to. Audit annotations that can't be made refuse, whatever the binding's actions. */
interface Verdict {
  denials: Denial[];
  annotations: Map<string, string>;
  annotationErrors: string[];
}

const longestMessage = 5 * 1024;
const longestAnnotation = 10 * 1024;
const codes: Readonly<Record<string, number>> = { Forbidden: 403, Unauthorized: 401, RequestEntityTooLarge: 413, Invalid: 422 };

/**
 * Refuses what policies say no to. Policies and bindings work from the moment they are stored.
 * Source: k8s.io/apiserver/pkg/admission/plugin/policy/validating/{dispatcher,validator}.go.
 */
export function validatingAdmissionPolicy(dependencies: PolicyDependencies): Admission {
  const { listers } = dependencies;
  const policies = listers<ValidatingAdmissionPolicy>("admissionregistration.k8s.io", "validatingadmissionpolicies");
  const bindings = listers<ValidatingAdmissionPolicyBinding>("admissionregistration.k8s.io", "validatingadmissionpolicybindings");
  const compiled = policyCompiler();

  return defineAdmission({
    name: "ValidatingAdmissionPolicy",
    operations: ["CREATE", "UPDATE", "DELETE", "CONNECT"],
    resources: ["*"],
    async validate(attributes) {
      const all = bindings.list();
      if (all.length === 0 || isExempt(attributes)) return;
      const refusals: Refusal[] = [];
      const annotations = new Map<string, Set<string>>();
      for (const { policy, binding, view, params, error } of await boundPolicies<ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding>(policies.list(), all, attributes, dependencies)) {
        const name = policy.metadata.name!;
        if (error) {
          if (policy.spec.failurePolicy === "Ignore") continue;
          refusals.push({ policy: name, binding: binding?.metadata.name, index: 0, message: `failed to configure ${error.ofPolicy ? "policy" : "binding"}: ${error.message}` });
          continue;
        }
        const program = compiled(policy);
        for (const param of params) {
          const verdict = judge(policy, program, variablesFor(view!, policy, param));
          refusals.push(...act(attributes, policy, binding!, verdict));
          for (const [key, value] of verdict.annotations) annotations.set(`${name}/${key}`, (annotations.get(`${name}/${key}`) ?? new Set()).add(value));
        }
      }
      for (const [key, values] of annotations) attributes.context.annotate?.(key, [...values].join(", "));
      if (refusals[0]) throw refusal(attributes, refusals[0]);
    },
  });
}

/** Does what the binding wants done about each denial; returns those that refuse the write. */
function act({ context }: AdmissionAttributes, { metadata: { name: policy = "" } }: Frozen<ValidatingAdmissionPolicy>, { metadata: { name: binding = "" }, spec: { validationActions = [] } }: Frozen<ValidatingAdmissionPolicyBinding>, { denials, annotationErrors }: Verdict): Refusal[] {
  const refusals: Refusal[] = [];
  for (const denial of denials) {
    const { index: expressionIndex, message } = denial;
    if (validationActions.includes("Deny")) refusals.push({ ...denial, policy, binding });
    if (validationActions.includes("Audit")) context.annotate?.("validation.policy.admission.k8s.io/validation_failure", JSON.stringify([{ message, policy, binding, expressionIndex, validationActions }]));
    if (validationActions.includes("Warn")) context.warn(`Validation failed for ValidatingAdmissionPolicy '${policy}' with binding '${binding}': ${message}`);
  }
  for (const message of annotationErrors) refusals.push({ message, index: 0, policy, binding });
  return refusals;
}

function refusal(attributes: AdmissionAttributes, { policy, binding, message, reason = "Invalid" }: Refusal): StatusError {
  const text = `ValidatingAdmissionPolicy '${policy}'${binding === undefined ? "" : ` with binding '${binding}'`} denied request: ${message}`;
  const { status } = refuse(attributes, text);
  return new StatusError({ ...status, reason, code: codes[reason] ?? 422, details: { ...status.details, causes: [{ message: text }] } });
}

function judge(policy: Frozen<ValidatingAdmissionPolicy>, program: CompiledPolicy, given: Variables): Verdict {
  const { validations = [], auditAnnotations = [], failurePolicy } = policy.spec;
  const verdict: Verdict = { denials: [], annotations: new Map(), annotationErrors: [] };
  const failed = (message: string, index = 0): void => {
    if (failurePolicy !== "Ignore") verdict.denials.push({ message, index });
  };
  try {
    if (!program.conditionsHold(given)) return verdict;
    validate(validations, program, given, verdict, failed);
    annotate(auditAnnotations, program, given, verdict, failurePolicy === "Ignore");
  } catch (error) {
    failed((error as Error).message);
  }
  return verdict;
}

function validate(validations: readonly Frozen<Validation>[], program: CompiledPolicy, given: Variables, { denials }: Verdict, failed: (message: string, index: number) => void): void {
  const evaluation = new PolicyEvaluation(given, program.variables);
  const outcomes = validations.map(({ expression = "" }) => evaluation.evaluate(program.expression("validation", expression)));
  let messageFailure: string | undefined;
  for (const [index, { value, error }] of outcomes.entries()) {
    const { messageExpression, reason } = validations[index]!;
    let said: Outcome | undefined;
    try {
      said = messageExpression && messageFailure === undefined && value !== true && error === undefined ? evaluation.evaluate(program.expression("messageExpression", messageExpression)) : undefined;
    } catch (problem) {
      if (!(problem instanceof OutOfBudget)) throw problem;
      messageFailure = `failed messageExpression: ${problem.message}`;
    }
    if (error !== undefined) failed(error, index);
    else if (messageFailure !== undefined && value !== true) failed(messageFailure, index);
    else if (value !== true) denials.push({ index, message: messageOf(validations[index]!, said), ...(reason && { reason }) });
  }
}

/** What the expression says, if that is one line of decent length, else what the validation says, else the expression. */
function messageOf({ expression = "", message = "" }: Frozen<Validation>, said: Outcome | undefined): string {
  const text = typeof said?.value === "string" ? said.value.trim() : "";
  if (text && Buffer.byteLength(text) <= longestMessage && !text.includes("\n")) return text;
  return message.trim() || `failed expression: ${expression.trim()}`;
}

function annotate(list: readonly Frozen<AuditAnnotation>[], program: CompiledPolicy, given: Variables, { annotations, annotationErrors }: Verdict, ignore: boolean): void {
  const evaluation = new PolicyEvaluation(given, program.variables);
  for (const { key = "", valueExpression = "" } of list) {
    const { value, error } = evaluation.evaluate(program.expression("auditAnnotation", valueExpression));
    if (error !== undefined) {
      if (!ignore) annotationErrors.push(error);
    } else if (typeof value === "string" && value.trim()) {
      annotations.set(key, value.trim().slice(0, longestAnnotation));
    }
  }
}
