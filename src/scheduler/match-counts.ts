import { formatSelector, matchesLabels, type Selector } from "../apimachinery/selectors/labels.ts";
import type { NodeInfo } from "./node-info.ts";

/** Pods of a namespace that a selector matches. */
export interface PodQuery {
  readonly namespace: string;
  readonly selector: Selector;
  /** Without pods that are being deleted. */
  readonly staying: boolean;
  /** The same text, the same pods. */
  readonly key: string;
}

export const podQuery = (namespace: string, selector: Selector, { staying = false } = {}): PodQuery => ({ namespace, selector, staying, key: `${staying ? "staying " : ""}${namespace}/${formatSelector(selector)}` });

/** More kinds of pods at a time are rare. */
const keptQueries = 32;
const kept = new WeakMap<NodeInfo, { version: number; counts: Map<string, number> }>();

/** How many such pods the node has. Pods of one set come one after the other, each asking the same of nodes of which few have changed: answers are kept. */
export function countPods(node: NodeInfo, query: PodQuery): number {
  const { selector, key } = query;
  if (selector === "nothing" || node.pods.size === 0) return 0;
  let known = kept.get(node);
  if (!known) kept.set(node, (known = { version: node.podsVersion, counts: new Map() }));
  else if (known.version !== node.podsVersion || known.counts.size > keptQueries) {
    known.version = node.podsVersion;
    known.counts.clear();
  }
  let count = known.counts.get(key);
  if (count === undefined) known.counts.set(key, (count = countAfresh(node, query)));
  return count;
}

function countAfresh({ pods }: NodeInfo, { namespace, selector, staying }: PodQuery): number {
  let count = 0;
  for (const { pod: { metadata }, namespace: its } of pods.values()) if (its === namespace && !(staying && metadata.deletionTimestamp) && matchesLabels(selector, metadata.labels)) count++;
  return count;
}
