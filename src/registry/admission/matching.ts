import type { Frozen, KubeObject, LabelSelector } from "../../apimachinery/meta.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { fromLabelSelector, matchesLabels, type Selector } from "../../apimachinery/selectors/labels.ts";
import { notFound } from "../../apimachinery/status.ts";
import type { NamedRuleWithOperations } from "../../apis/generated/admissionregistration/v1.ts";
import type { Namespace } from "../../apis/generated/core/v1.ts";
import type { Listers } from "../listers.ts";
import { prefixOf } from "../store.ts";
import type { AdmissionAttributes } from "./admission.ts";

/** Which writes a webhook or a policy is for. Absent selectors match everything. */
export interface MatchCriteria {
  rules: readonly Frozen<NamedRuleWithOperations>[];
  /** What these match is left out. */
  excludeRules?: readonly Frozen<NamedRuleWithOperations>[];
  /** Equivalent, the default, also finds a rule that names the kind in another version or under another group. */
  matchPolicy?: string;
  namespaceSelector?: Frozen<LabelSelector>;
  objectSelector?: Frozen<LabelSelector>;
}

/**
 * Finds the card in whose version a write meets `criteria`: that of the request where a rule names it, else an equivalent one; undefined when it
 * does not meet them. Throws 404 when the namespace whose labels are asked for is gone. Selectors go by the object as it is now.
 * Source: k8s.io/apiserver/pkg/admission/plugin/webhook/predicates and …/policy/matching.
 */
export type Matcher = (criteria: MatchCriteria, attributes: AdmissionAttributes) => AnyResource | undefined;

/** `cards`: all that is served now. */
export function createMatcher({ listers, cards }: { listers: Listers; cards(): readonly AnyResource[] }): Matcher {
  const namespaces = listers<Namespace>("", "namespaces");

  function namespaceLabels({ card, subresource, operation, object, namespace }: AdmissionAttributes): Labels {
    if (isNamespaces(card) && subresource === "" && (operation === "CREATE" || operation === "UPDATE")) return object?.metadata.labels;
    const found = namespaces.get(namespace);
    if (!found) throw notFound({ group: "", resource: "namespaces" }, namespace);
    return found.metadata.labels;
  }

  function inNamespace(criteria: MatchCriteria, attributes: AdmissionAttributes): boolean {
    if (attributes.namespace === "" && !isNamespaces(attributes.card)) return true;
    const selector = parsed(criteria.namespaceSelector);
    return isEverything(selector) || matchesLabels(selector, namespaceLabels(attributes));
  }

  return (criteria, attributes) => {
    if (!selectsObject(criteria.objectSelector, attributes)) return undefined;
    const card = matchingCard(criteria, attributes, cards);
    return card && inNamespace(criteria, attributes) ? card : undefined;
  };
}

type Labels = Readonly<Record<string, string>> | undefined;

const isNamespaces = ({ group, resource }: AnyResource): boolean => group === "" && resource === "namespaces";

function matchingCard({ rules, excludeRules = [], matchPolicy = "Equivalent" }: MatchCriteria, attributes: AdmissionAttributes, cards: () => readonly AnyResource[]): AnyResource | undefined {
  const inAny = (list: readonly Frozen<NamedRuleWithOperations>[], card: AnyResource): boolean => list.some((rule) => ruleMatches(rule, attributes, card));
  if (inAny(excludeRules, attributes.card)) return undefined;
  if (inAny(rules, attributes.card)) return attributes.card;
  if (matchPolicy !== "Equivalent") return undefined;
  const others = equivalents(attributes.card, cards());
  if (others.some((card) => inAny(excludeRules, card))) return undefined;
  for (const rule of rules) {
    const found = others.find((card) => ruleMatches(rule, attributes, card));
    if (found) return found;
  }
  return undefined;
}

/** Other cards that serve the same stored objects. */
const equivalents = (card: AnyResource, all: readonly AnyResource[]): AnyResource[] => {
  const prefix = prefixOf(card);
  return all.filter((other) => other !== card && prefixOf(other) === prefix);
};

/** Whether a rule names this operation, on the resource as `card` serves it. */
export function ruleMatches(rule: Frozen<NamedRuleWithOperations>, { operation, subresource, namespace, name }: AdmissionAttributes, card: AnyResource): boolean {
  const { operations, apiGroups, apiVersions, resources, resourceNames = [], scope = "*" } = rule;
  return has(operations, operation) && has(apiGroups, card.group) && has(apiVersions, card.version)
    && (resources ?? []).some((wanted) => resourceMatches(wanted, card.resource, subresource))
    && scopeMatches(scope, card, namespace)
    && (resourceNames.length === 0 || resourceNames.includes(name));
}

const has = (wanted: readonly string[] | undefined, value: string): boolean => wanted !== undefined && (wanted.includes(value) || wanted.includes("*"));

function resourceMatches(wanted: string, resource: string, subresource: string): boolean {
  const slash = wanted.indexOf("/");
  const name = slash < 0 ? wanted : wanted.slice(0, slash), below = slash < 0 ? "" : wanted.slice(slash + 1);
  return (name === "*" || name === resource) && (below === "*" || below === subresource);
}

/** A Namespace is cluster-scoped, although its attributes name it as its own namespace. */
function scopeMatches(scope: string, card: AnyResource, namespace: string): boolean {
  if (scope === "*") return true;
  const clusterWide = isNamespaces(card) || namespace === "";
  return scope === "Cluster" ? clusterWide : scope === "Namespaced" && !clusterWide;
}

/** Either state of the object may have the labels. */
function selectsObject(selector: Frozen<LabelSelector> | undefined, { object, oldObject }: AdmissionAttributes): boolean {
  const wanted = parsed(selector);
  return isEverything(wanted) || [object, oldObject].some((each) => each !== undefined && matchesLabels(wanted, (each as Frozen<Partial<KubeObject>>).metadata?.labels));
}

const isEverything = (selector: Selector): boolean => selector.length === 0;

const selectors = new WeakMap<Frozen<LabelSelector>, Selector>();

/** Read once for each stored selector. */
function parsed(selector: Frozen<LabelSelector> | undefined): Selector {
  if (!selector) return [];
  let found = selectors.get(selector);
  if (!found) selectors.set(selector, found = fromLabelSelector(selector));
  return found;
}
