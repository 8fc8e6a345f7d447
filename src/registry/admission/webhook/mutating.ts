import { invalidValue } from "../../../apimachinery/field-errors.ts";
import { objectSchemaOf } from "../../../apimachinery/object-schema.ts";
import { applyJsonPatch } from "../../../apimachinery/patch/json-patch.ts";
import type { KubeObject } from "../../../apimachinery/meta.ts";
import { apiVersionOf, type AnyResource } from "../../../apimachinery/resource.ts";
import { badRequest, internalError, invalid } from "../../../apimachinery/status.ts";
import type { AdmissionResponse } from "../../../apis/generated/admission/v1.ts";
import type { MutatingWebhook, MutatingWebhookConfiguration } from "../../../apis/generated/admissionregistration/v1.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import type { Listers } from "../../listers.ts";
import { defineAdmission, type Admission, type AdmissionAttributes } from "../admission.ts";
import { objectsAs, replaceWith } from "./versions.ts";
import { inOrder, invocationOf, isExempt, webhookRunner, type Invocation, type WebhookDependencies } from "./webhook.ts";

type Hook = Frozen<MutatingWebhook>;

/** What is remembered from one round of admission to the next. */
interface Memory {
  /** Webhooks called that want to be called again after later changes. */
  reinvocable: Set<string>;
  /** Those of them after which something was changed. */
  due: Set<string>;
  lastOutput: unknown;
}

const pluginName = "MutatingAdmissionWebhook";

/**
 * Lets webhooks change objects, one after the other in order of their configurations' names.
 * Source: k8s.io/apiserver/pkg/admission/plugin/webhook/mutating/dispatcher.go.
 */
export function mutatingAdmissionWebhook(dependencies: WebhookDependencies & { listers: Listers }): Admission {
  const configurations = dependencies.listers<MutatingWebhookConfiguration>("admissionregistration.k8s.io", "mutatingwebhookconfigurations");
  const runner = webhookRunner("mutating", dependencies);

  async function callOne(invocation: Invocation<Hook>, attributes: AdmissionAttributes): Promise<boolean> {
    const objects = await objectsAs(attributes, invocation.card);
    const response = await runner.ask(invocation, attributes, objects);
    const patch = response?.patch ? readPatch(invocation.webhook, response) : [];
    const changed = patch.length > 0 && await applyPatch(invocation, attributes, objects.object, patch);
    annotate(invocation, attributes, changed, patch);
    return changed;
  }

  return defineAdmission({
    name: pluginName,
    operations: ["CREATE", "UPDATE", "DELETE", "CONNECT"],
    resources: ["*"],
    async admit(attributes) {
      const all = configurations.list();
      if (all.length === 0 || isExempt(attributes)) return;
      const again = attributes.reinvocation?.again ?? false;
      const memory = memoryOf(attributes);
      if (again && !Bun.deepEquals(memory.lastOutput, attributes.object)) requireReinvocation(memory);
      let index = -1;
      for (const { metadata: { name: configuration = "" }, webhooks = [] } of inOrder(all)) {
        for (const webhook of webhooks) {
          index++;
          const id = `${configuration}/${webhook.name}`;
          if (again && !memory.due.has(id)) continue;
          const card = await invocationOf(webhook, attributes, dependencies);
          if (!card) continue;
          if (await callOne({ webhook, configuration, index, card }, attributes)) {
            requireReinvocation(memory);
            attributes.reinvocation?.request();
          }
          if (webhook.reinvocationPolicy === "IfNeeded") memory.reinvocable.add(id);
        }
      }
      memory.lastOutput = structuredClone(attributes.object);
    },
  });
}

function memoryOf({ reinvocation }: AdmissionAttributes): Memory {
  let memory = reinvocation?.memory.get(pluginName) as Memory | undefined;
  if (!memory) reinvocation?.memory.set(pluginName, memory = { reinvocable: new Set(), due: new Set(), lastOutput: undefined });
  return memory ?? { reinvocable: new Set(), due: new Set(), lastOutput: undefined };
}

function requireReinvocation(memory: Memory): void {
  for (const id of memory.reinvocable) memory.due.add(id);
  memory.reinvocable.clear();
}

function readPatch({ name }: Hook, { patch, patchType }: AdmissionResponse): readonly unknown[] {
  if (patchType !== "JSONPatch") throw internalError(new Error(`failed calling webhook ${JSON.stringify(name)}: unsupported patch type ${JSON.stringify(patchType)}`));
  try {
    const operations: unknown = JSON.parse(Buffer.from(patch!, "base64").toString());
    if (!Array.isArray(operations)) throw new Error("json: cannot unmarshal object into Go value of type jsonpatch.Patch");
    return operations;
  } catch (error) {
    throw internalError(new Error(`failed calling webhook ${JSON.stringify(name)}: received undecodable patch in webhook response: ${(error as Error).message}`));
  }
}

/** Changes the object of the write in place, and fills in defaults as for what a client sends. Tells whether anything has changed. */
async function applyPatch({ webhook, card }: Invocation<Hook>, attributes: AdmissionAttributes, seen: KubeObject | undefined, patch: readonly unknown[]): Promise<boolean> {
  const { object } = attributes;
  if (!object || !seen) throw internalError(new Error(`admission webhook ${JSON.stringify(webhook.name)} attempted to modify the object, which is not supported for this operation`));
  const isOwnKind = seen.kind === undefined || seen.kind === card.kind;
  const before = isOwnKind ? { ...seen, kind: card.kind, apiVersion: apiVersionOf(card) } : seen;
  const patched = readPatched(card, before, patch, isOwnKind);
  if (patched.metadata?.namespace !== object.metadata?.namespace) throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  if (isOwnKind) {
    keepKind(card, patched);
    card.default?.(patched);
  }
  if (Bun.deepEquals(patched, before)) return false;
  await replaceWith(object, patched, card, isOwnKind ? attributes.card : card);
  return true;
}

function readPatched(card: AnyResource, before: KubeObject, patch: readonly unknown[], isOwnKind: boolean): KubeObject {
  try {
    const result = applyJsonPatch(before, patch);
    return isOwnKind ? objectSchemaOf(card).decode<KubeObject>(result, { fieldValidation: "Ignore" }).object : result as KubeObject;
  } catch (error) {
    // The webhook's mistake, not the client's.
    throw internalError((error as Error).message.replace(/^.*? cannot be handled as an? [^:]*: /s, ""));
  }
}

/** A patch can't make an object one of another kind or version. A built-in one that has lost its kind gets it back, as in Kubernetes, which decodes into the type it expects. */
function keepKind(card: AnyResource, patched: KubeObject): void {
  const apiVersion = apiVersionOf(card), name = patched.metadata?.name ?? "";
  if (!card.objectSchema) {
    patched.kind ||= card.kind;
    patched.apiVersion ||= apiVersion;
  }
  if (!patched.kind) throw internalError(new Error(`Object 'Kind' is missing in '${JSON.stringify(patched)}'`));
  if (patched.apiVersion !== apiVersion) throw internalError(new Error(`no kind ${JSON.stringify(patched.kind)} is registered for version ${JSON.stringify(patched.apiVersion ?? "")}`));
  if (patched.kind === card.kind) return;
  if (card.objectSchema) throw invalid({ group: card.group, kind: patched.kind }, name, [invalidValue("kind", patched.kind, `must be ${card.kind}`)]);
  throw internalError(new Error(`converting (${card.version}.${patched.kind}) to (${card.version}.${card.kind}): unknown conversion`));
}

/** Source: the keys and values of k8s.io/apiserver/pkg/admission/plugin/webhook/mutating (MutationAuditAnnotationPrefix, PatchAuditAnnotationPrefix). */
function annotate({ webhook, configuration, index }: Invocation<Hook>, { context, reinvocation }: AdmissionAttributes, mutated: boolean, patch: readonly unknown[]): void {
  if (!context.annotate) return;
  const place = `round_${reinvocation?.again ? 1 : 0}_index_${index}`;
  context.annotate(`mutation.webhook.admission.k8s.io/${place}`, JSON.stringify({ configuration, webhook: webhook.name, mutated }));
  if (patch.length) context.annotate(`patch.webhook.admission.k8s.io/${place}`, JSON.stringify({ configuration, webhook: webhook.name, patch, patchType: "JSONPatch" }), "Request");
}
