import type { Frozen } from "../../../apimachinery/meta.ts";
import type { AnyResource } from "../../../apimachinery/resource.ts";
import { internalError, StatusError } from "../../../apimachinery/status.ts";
import type { AdmissionResponse } from "../../../apis/generated/admission/v1.ts";
import type { MatchCondition, MutatingWebhook, ValidatingWebhook } from "../../../apis/generated/admissionregistration/v1.ts";
import { logger } from "../../../base/log.ts";
import type { MetricsRegistry } from "../../../base/metrics.ts";
import type { AdmissionAttributes } from "../admission.ts";
import type { Matcher } from "../matching.ts";
import type { WebhookCaller } from "./caller.ts";
import { webhookMetrics } from "./metrics.ts";
import { admissionReview, denied, dryRunUnsupported, reviewVersion, verifyResponse, type ReviewedObjects } from "./review.ts";

const log = logger("admission");

export type Webhook = Frozen<MutatingWebhook> | Frozen<ValidatingWebhook>;

/**
 * Whether the CEL conditions of a webhook hold for a write. Throws a StatusError when one can't be evaluated and the webhook's failure policy is
 * Fail; with Ignore the answer is then false.
 */
export type MatchConditions = (conditions: readonly Frozen<MatchCondition>[], attributes: AdmissionAttributes, failurePolicy: "Fail" | "Ignore") => boolean | Promise<boolean>;

export interface WebhookDependencies {
  matcher: Matcher;
  matchConditions: MatchConditions;
  caller: WebhookCaller;
  metrics?: MetricsRegistry;
}

/** One webhook that a write has to pass, and the version in which it sees the objects. */
export interface Invocation<W extends Webhook> {
  webhook: W;
  configuration: string;
  /** Its place among all webhooks, for audit annotations. */
  index: number;
  card: AnyResource;
}

/** No webhook decides over what webhooks and policies there are: a bad one could not be taken out again. */
const exempt = new Set(["validatingwebhookconfigurations", "mutatingwebhookconfigurations", "validatingadmissionpolicies", "validatingadmissionpolicybindings", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings"]);
export const isExempt = ({ card }: AdmissionAttributes): boolean => card.group === "admissionregistration.k8s.io" && exempt.has(card.resource);

/** The card in whose version `webhook` wants to see this write; undefined when it is not for it. */
export async function invocationOf(webhook: Webhook, attributes: AdmissionAttributes, { matcher, matchConditions }: WebhookDependencies): Promise<AnyResource | undefined> {
  const { rules = [], matchPolicy, namespaceSelector, objectSelector, matchConditions: conditions = [], failurePolicy = "Fail" } = webhook;
  const card = matcher({ rules, matchPolicy, namespaceSelector, objectSelector }, attributes);
  if (!card || conditions.length === 0) return card;
  return await matchConditions(conditions, attributes, failurePolicy) ? card : undefined;
}

/** Calls webhooks one way or the other and knows what their answers, and their silence, mean. */
export interface WebhookRunner {
  /**
   * The answer of a webhook that allows the write; undefined when it could not be asked and its failure policy is Ignore. Throws the StatusError
   * that the client gets for a refusal, or for a failure with policy Fail.
   */
  ask(invocation: Invocation<Webhook>, attributes: AdmissionAttributes, objects: ReviewedObjects): Promise<AdmissionResponse | undefined>;
}

export function webhookRunner(type: "mutating" | "validating", { caller, metrics }: WebhookDependencies): WebhookRunner {
  const observed = metrics && webhookMetrics(metrics, type);

  async function call({ webhook, card }: Invocation<Webhook>, attributes: AdmissionAttributes, objects: ReviewedObjects): Promise<AdmissionResponse> {
    const version = reviewVersion(webhook.admissionReviewVersions);
    const { uid, review } = admissionReview(attributes, card, objects, version);
    let answer: unknown;
    try {
      answer = await caller.post(webhook.clientConfig, review, { timeoutSeconds: webhook.timeoutSeconds ?? 10, signal: attributes.context.signal });
    } catch (error) {
      throw new Error(`failed to call webhook: ${(error as Error).message}`, { cause: error });
    }
    return verifyResponse(answer, { uid, version, mutating: type === "mutating" });
  }

  function failed({ webhook, index }: Invocation<Webhook>, attributes: AdmissionAttributes, error: unknown): undefined {
    const failure = new Error(`failed calling webhook ${JSON.stringify(webhook.name)}: ${(error as Error).message}`, { cause: error });
    if (webhook.failurePolicy !== "Ignore") throw internalError(failure);
    log.warn("webhook failed and is ignored", { webhook: webhook.name, error: failure });
    observed?.failedOpen(webhook.name);
    attributes.context.annotate?.(`failed-open.${type}.webhook.admission.k8s.io/round_${attributes.reinvocation?.again && type === "mutating" ? 1 : 0}_index_${index}`, webhook.name);
    return undefined;
  }

  return {
    async ask(invocation, attributes, objects) {
      const { webhook } = invocation;
      if (attributes.dryRun && webhook.sideEffects !== "None" && webhook.sideEffects !== "NoneOnDryRun") throw dryRunUnsupported(webhook.name);
      const began = performance.now();
      let response: AdmissionResponse;
      try {
        response = await call(invocation, attributes, objects);
      } catch (error) {
        observed?.called(webhook.name, attributes.operation, began, webhook.failurePolicy === "Ignore" ? undefined : { errorType: "calling_webhook_error", code: 500 });
        return failed(invocation, attributes, error);
      }
      const { auditAnnotations = {}, warnings = [], allowed, status } = response;
      for (const [key, value] of Object.entries(auditAnnotations)) attributes.context.annotate?.(`${webhook.name}/${key}`, value);
      for (const text of warnings) attributes.context.warn(text);
      if (allowed === true) {
        observed?.called(webhook.name, attributes.operation, began, undefined);
        return response;
      }
      const refusal = denied(webhook.name, status);
      observed?.called(webhook.name, attributes.operation, began, { errorType: "no_error", code: refusal.code });
      throw refusal;
    },
  };
}

/** Configurations in order of name, as Kubernetes asks them. */
export function inOrder<C extends { readonly metadata: { readonly name?: string } }>(configurations: readonly C[]): readonly C[] {
  return configurations.length < 2 ? configurations : configurations.toSorted((a, b) => (a.metadata.name! < b.metadata.name! ? -1 : 1));
}

/** A failure of ours, not of the webhook. */
export const asStatus = (error: unknown): StatusError => (error instanceof StatusError ? error : internalError(error));
