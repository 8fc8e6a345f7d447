import type { Frozen } from "../apimachinery/meta.ts";
import { fromLabelSelector, matchesLabels, nothing, type Selector } from "../apimachinery/selectors/labels.ts";
import type { LabelSelector } from "../apis/generated/meta/v1.ts";
import type { Pod, PodAffinityTerm } from "../apis/generated/core/v1.ts";
import { podQuery, type PodQuery } from "./match-counts.ts";

type Labels = Readonly<Record<string, string>> | undefined;

/** A pod affinity or anti-affinity term, ready to be matched against many pods. */
export interface AffinityTerm {
  readonly topologyKey: string;
  readonly selector: Selector;
  readonly namespaces: ReadonlySet<string>;
  /** `nothing` when the term names namespaces alone. */
  readonly namespaceSelector: Selector;
  /** The same pods, of terms that speak of one namespace alone. */
  readonly query: PodQuery | undefined;
  /** Of preferred terms; 1 of required ones. */
  readonly weight: number;
}

/** A term without namespaces means the namespace of the pod that has it. (Its matchLabelKeys became part of the selector when the pod was created.) */
export function parseAffinityTerm(term: Frozen<PodAffinityTerm>, { metadata }: Frozen<Pod>, weight = 1): AffinityTerm {
  const own = !term.namespaces?.length && !term.namespaceSelector;
  const selector = parseSelector(term.labelSelector), namespaceSelector = parseSelector(term.namespaceSelector);
  const namespaces = new Set(own ? [metadata.namespace!] : term.namespaces);
  const query = namespaces.size === 1 && namespaceSelector === "nothing" ? podQuery([...namespaces][0]!, selector) : undefined;
  return { topologyKey: term.topologyKey, selector, namespaces, namespaceSelector, query, weight };
}

/** A selector that isn't valid matches nothing; the API lets none in. */
export function parseSelector(selector: Frozen<LabelSelector> | undefined): Selector {
  try {
    return fromLabelSelector(selector);
  } catch {
    return nothing;
  }
}

/** Whether the term speaks of this pod. */
export function matchesTerm(term: AffinityTerm, { metadata }: Frozen<Pod>, namespaceLabels: (namespace: string) => Labels): boolean {
  if (!matchesLabels(term.selector, metadata.labels)) return false;
  if (term.namespaces.has(metadata.namespace!)) return true;
  return term.namespaceSelector !== "nothing" && matchesLabels(term.namespaceSelector, namespaceLabels(metadata.namespace!));
}
