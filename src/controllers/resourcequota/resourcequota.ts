import { keyOf, splitKey, type Frozen, type KubeObject } from "../../apimachinery/meta.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { amountsOf, sameAmounts } from "../../apis/core/quota/amounts.ts";
import { inScope, evaluatorOf, usageOfNamespace } from "../../apis/core/quota/quota.ts";
import { resourcequotas } from "../../apis/core/resourcequota.ts";
import type { ResourceQuota } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf, type Controller, type Listers, type ServedKinds, type Watch } from "../../client/controller.ts";
import { plannedStatus } from "./plan.ts";

/** Use is measured again this often though nothing said so, for charges of writes that failed later. Milliseconds. */
const resync = 5 * 60_000;

/**
 * Measures what each quota's namespace uses. Admission charges new objects by itself; this gives back what deletions free.
 * All kinds that are created in namespaces count, those that come later too.
 */
export function resourceQuotaController({ kinds }: { kinds: ServedKinds }): Controller {
  return defineController({
    name: "resourcequota-controller",
    watches: [watchOf(resourcequotas, (current, old) => (current && needsLook(current, old) ? [keyOf(current)] : []))],
    kinds: { served: kinds, watch: (card) => (isCounted(card) ? replenished(card) : undefined) },
    writes: [{ apiGroups: [""], resources: ["resourcequotas/status"], verbs: ["update"] }],
    async reconcile(key, { client, lister, now }) {
      const quota = lister(resourcequotas).get(key);
      if (!quota) return;
      const { namespace } = splitKey(key);
      const counted = firstVersions(kinds.cards.filter(isCounted));
      const byName = (of: { group: string; resource: string }): AnyResource => counted.find((card) => card.group === of.group && card.resource === of.resource)!;
      const planned = plannedStatus(quota, usageOfNamespace(quota, counted, (of) => lister<KubeObject>(byName(of)).list(namespace), now()));
      if (planned) await client.update(resourcequotas, planned, { subresource: "status" });
      return { requeueAfter: resync };
    },
  });
}

const isCounted = (card: AnyResource): boolean => card.scope === "Namespaced" && card.verbs.includes("list") && card.verbs.includes("create") && evaluatorOf(card) !== undefined;

/** A kind counts once, in however many versions it is served. */
function firstVersions(cards: readonly AnyResource[]): AnyResource[] {
  const seen = new Set<string>();
  return cards.filter(({ group, resource }) => !seen.has(`${group}/${resource}`) && seen.add(`${group}/${resource}`));
}

/** New limits, or a status that nobody has filled in, or somebody wrongly. Admission's own charges are no reason to measure. */
const needsLook = (current: Frozen<ResourceQuota>, old: Frozen<ResourceQuota> | undefined): boolean =>
  !old || !current.status?.hard || !current.status.used || !Bun.deepEquals(current.spec, old.spec) || !sameAmounts(amountsOf(current.status.hard), amountsOf(current.spec?.hard));

/** Quotas of the namespace that a deleted object, or one that uses less, counted for. */
function replenished(card: AnyResource): Watch<KubeObject>["map"] {
  const evaluator = evaluatorOf(card)!;
  return (current, old, { lister, now }) => {
    if (!old || (current && !evaluator.released(old, current, now()))) return [];
    return quotasFor(old, lister).filter((quota) => evaluator.matching(Object.keys(quota.spec?.hard ?? {})).length > 0
      && (inScope(evaluator, quota.spec, old) || (current !== undefined && inScope(evaluator, quota.spec, current)))).map(keyOf);
  };
}

const quotasFor = ({ metadata: { namespace } }: Frozen<KubeObject>, lister: Listers): readonly Frozen<ResourceQuota>[] => lister(resourcequotas).list(namespace);
