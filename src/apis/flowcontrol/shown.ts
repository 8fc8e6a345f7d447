import type { Frozen } from "../../apimachinery/meta.ts";
import type { FlowSchemaSpec, PriorityLevelConfigurationSpec, QueuingConfiguration } from "../generated/flowcontrol/v1.ts";

/** Specs as messages show them: Go's internal form, with each of its fields. */

const capitalized = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(capitalized);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key === "nonResourceURLs" ? "NonResourceURLs" : key === "apiGroups" ? "APIGroups" : key[0]!.toUpperCase() + key.slice(1), capitalized(inner)]));
};

export const shownFlowSchemaSpec = ({ priorityLevelConfiguration, matchingPrecedence = 0, distinguisherMethod, rules }: Frozen<FlowSchemaSpec>): unknown => capitalized({
  priorityLevelConfiguration: { name: priorityLevelConfiguration?.name ?? "" }, matchingPrecedence, distinguisherMethod: distinguisherMethod ?? null,
  rules: rules?.map(({ subjects, resourceRules, nonResourceRules }) => ({
    subjects: subjects?.map(({ kind = "", user = null, group = null, serviceAccount = null }) => ({ kind, user, group, serviceAccount })) ?? null,
    resourceRules: resourceRules?.map(({ verbs = null, apiGroups = null, resources = null, clusterScope = false, namespaces = null }) => ({ verbs, apiGroups, resources, clusterScope, namespaces })) ?? null,
    nonResourceRules: nonResourceRules?.map(({ verbs = null, nonResourceURLs = null }) => ({ verbs, nonResourceURLs })) ?? null,
  })) ?? null,
});

const shownQueuing = (queuing: Frozen<QueuingConfiguration> | undefined): unknown => (queuing ? { queues: queuing.queues, handSize: queuing.handSize, queueLengthLimit: queuing.queueLengthLimit } : null);

export const shownPriorityLevelSpec = ({ type = "", limited, exempt }: Frozen<PriorityLevelConfigurationSpec>): unknown => capitalized({
  type,
  limited: limited ? {
    nominalConcurrencyShares: limited.nominalConcurrencyShares ?? 0, limitResponse: { type: limited.limitResponse?.type ?? "", queuing: shownQueuing(limited.limitResponse?.queuing) },
    lendablePercent: limited.lendablePercent ?? null, borrowingLimitPercent: limited.borrowingLimitPercent ?? null,
  } : null,
  exempt: exempt ?? null,
});
