import { semanticEqual } from "../../apimachinery/equality.ts";
import { duplicate, invalidValue, notSupported, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { ageColumn, nameColumn, type Column } from "../../apimachinery/resource.ts";
import { validateLabelSelector } from "../../apimachinery/validation/label-selector.ts";
import { dns1035LabelErrors, dns1123SubdomainErrors } from "../../apimachinery/validation/names.ts";
import type { MutatingWebhook, ValidatingWebhook, WebhookClientConfig } from "../generated/admissionregistration/v1.ts";
import { validateMatchConditions } from "./expressions.ts";
import { failurePolicies, matchPolicies, optionalOneOf, reinvocationPolicies, validateRule } from "./rules.ts";
import { webhookService, webhookUrl } from "./webhook-client.ts";

/** What both kinds of webhook configuration share. Source: pkg/apis/admissionregistration/validation. */

type Webhook = ValidatingWebhook & Pick<MutatingWebhook, "reinvocationPolicy">;
type Webhooks = readonly Frozen<Webhook>[];
export interface WebhookConfiguration extends KubeObject {
  webhooks?: Webhook[];
}

export function defaultWebhooks({ webhooks = [] }: WebhookConfiguration): void {
  for (const webhook of webhooks) {
    webhook.failurePolicy ??= "Fail";
    webhook.matchPolicy ??= "Equivalent";
    webhook.namespaceSelector ??= {};
    webhook.objectSelector ??= {};
    webhook.timeoutSeconds ??= 10;
    for (const rule of webhook.rules ?? []) rule.scope ??= "*";
    if (webhook.clientConfig?.service) webhook.clientConfig.service.port ??= 443;
  }
}

export function webhookColumns<T extends WebhookConfiguration>(): readonly Column<T>[] {
  return [
    nameColumn(),
    { name: "Webhooks", type: "integer", description: "Webhooks indicates the number of webhooks registered in this configuration", value: (configuration) => (configuration as Frozen<WebhookConfiguration>).webhooks?.length ?? 0 },
    ageColumn(),
  ];
}

const knownReviewVersions = ["v1", "v1beta1"], quiet = ["None", "NoneOnDryRun"], allSideEffects = ["None", "NoneOnDryRun", "Some", "Unknown"];

/** What is stored may stay as it is, in each of these respects. */
interface Tolerance {
  sideEffects: boolean;
  reviewVersions: boolean;
  sameNames: boolean;
  matchConditions: boolean;
  stored: ReadonlySet<string>;
}

export function validateWebhooks({ webhooks = [] }: Frozen<WebhookConfiguration>, old?: Frozen<WebhookConfiguration>): FieldError[] {
  const names = webhooks.map(({ name }) => name), tolerance = toleranceOf(webhooks, old?.webhooks ?? []);
  return webhooks.flatMap((webhook, index) => {
    const field = `webhooks[${index}]`;
    return [
      ...validateWebhook(field, webhook, tolerance),
      ...validateReviewVersions(`${field}.admissionReviewVersions`, webhook.admissionReviewVersions ?? [], tolerance.reviewVersions),
      ...(!tolerance.sameNames && webhook.name && names.indexOf(webhook.name) < index ? [duplicate(`${field}.name`, webhook.name)] : []),
    ];
  });
}

function toleranceOf(webhooks: Webhooks, old: Webhooks): Tolerance {
  return {
    sideEffects: old.some(({ sideEffects }) => !quiet.includes(sideEffects ?? "")),
    reviewVersions: old.some(({ admissionReviewVersions: versions = [] }) => versions.length > 0 && !versions.some((version) => knownReviewVersions.includes(version))),
    sameNames: new Set(old.map(({ name }) => name)).size < old.length,
    matchConditions: old.length > 0 && old.length === webhooks.length && old.every(({ matchConditions }, index) => semanticEqual(matchConditions, webhooks[index]!.matchConditions)),
    stored: new Set(old.flatMap(({ matchConditions = [] }) => matchConditions.map(({ expression }) => expression))),
  };
}

function validateWebhook(field: string, webhook: Frozen<Webhook>, tolerance: Tolerance): FieldError[] {
  const { name, rules = [], sideEffects, timeoutSeconds: timeout, matchConditions } = webhook;
  const allowedEffects = tolerance.sideEffects ? allSideEffects : quiet;
  return [
    ...qualifiedName(`${field}.name`, name),
    ...rules.flatMap((rule, index) => validateRule(`${field}.rules[${index}]`, rule)),
    ...optionalOneOf(`${field}.failurePolicy`, webhook.failurePolicy, failurePolicies),
    ...optionalOneOf(`${field}.matchPolicy`, webhook.matchPolicy, matchPolicies),
    ...(sideEffects === undefined ? [required(`${field}.sideEffects`, `must specify one of ${allowedEffects.join(", ")}`)] : []),
    ...(sideEffects !== undefined && !allowedEffects.includes(sideEffects) ? [notSupported(`${field}.sideEffects`, sideEffects, allowedEffects)] : []),
    ...(timeout !== undefined && (timeout > 30 || timeout < 1) ? [invalidValue(`${field}.timeoutSeconds`, timeout, "the timeout value must be between 1 and 30 seconds")] : []),
    ...validateLabelSelector(webhook.namespaceSelector, `${field}.namespaceSelector`),
    ...validateLabelSelector(webhook.objectSelector, `${field}.objectSelector`),
    ...optionalOneOf(`${field}.reinvocationPolicy`, webhook.reinvocationPolicy, reinvocationPolicies),
    ...validateClientConfig(`${field}.clientConfig`, webhook.clientConfig ?? {}),
    ...(tolerance.matchConditions ? [] : validateMatchConditions(`${field}.matchConditions`, matchConditions, { hasParams: false, variables: undefined, stored: new Map([["matchCondition", tolerance.stored]]) })),
  ];
}

/** Three labels at least. */
function qualifiedName(field: string, name: string | undefined): FieldError[] {
  if (!name) return [required(field)];
  const wrong = dns1123SubdomainErrors(name);
  if (wrong.length > 0) return [invalidValue(field, name, wrong.join(","))];
  return name.split(".").length < 3 ? [invalidValue(field, name, "should be a domain with at least three segments separated by dots")] : [];
}

function validateClientConfig(field: string, { url, service }: Frozen<WebhookClientConfig>): FieldError[] {
  if ((url === undefined) === (service === undefined)) return [required(field, "exactly one of url or service is required")];
  if (url !== undefined) return webhookUrl(`${field}.url`, url);
  // Kubernetes hands the name over as the namespace and the reverse, which shows when one of them is missing.
  return webhookService(`${field}.service`, { ...service, name: service!.namespace, namespace: service!.name });
}

function validateReviewVersions(field: string, versions: readonly string[], anyVersion: boolean): FieldError[] {
  if (versions.length === 0) return [required(field, `must specify one of ${knownReviewVersions.join(", ")}`)];
  const errors = versions.flatMap((version, index) => {
    if (versions.indexOf(version) < index) return [invalidValue(`${field}[${index}]`, version, "duplicate version")];
    return dns1035LabelErrors(version).map((message) => invalidValue(`${field}[${index}]`, version, message));
  });
  if (anyVersion || versions.some((version) => knownReviewVersions.includes(version))) return errors;
  return [...errors, invalidValue(field, versions, `must include at least one of ${knownReviewVersions.join(", ")}`)];
}
