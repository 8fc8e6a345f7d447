import { keyOf, splitKey, type Frozen, type KubeObject } from "../../apimachinery/meta.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { amountsOf, sameAmounts } from "../../apis/core/quota/amounts.ts";
import { inScope, evaluatorOf, usageOfNamespace } from "../../apis/core/quota/quota.ts";
import { pods } from "../../apis/core/pod/pod.ts";
import { resourcequotas } from "../../apis/core/resourcequota.ts";
import type { ResourceQuota } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf, type Controller, type Listers, type ServedKinds, type Watch } from "../../client/controller.ts";
import { Measurements } from "./measurements.ts";
import { plannedStatus } from "./plan.ts";

/**
 * Measures what each quota's namespace uses. Admission charges new objects by itself; this gives back what deletions free.
 * All kinds that are created in namespaces count, those that come later too. Nothing runs at rest. Make one for each start.
 */
export function resourceQuotaController({ kinds }: { kinds: ServedKinds }): Controller {
  const measurements = new Measurements();
  return defineController({
    name: "resourcequota-controller",
    watches: [watchOf(resourcequotas, (current, old, { monotonic }) => {
      const key = keyOf(current ?? old!);
      if (!current) measurements.forget(key);
      else if (needsLook(current, old)) measurements.now(key);
      else if (sameAmounts(amountsOf(current.status?.used), amountsOf(old?.status?.used)) || !measurements.charged(key, monotonic())) return [];
      return current ? [key] : [];
    })],
    kinds: { served: kinds, watch: (card) => (isCounted(card) ? replenished(card, measurements) : undefined) },
    reads: [pods], writes: [{ apiGroups: [""], resources: ["resourcequotas/status"], verbs: ["update"] }],
    async reconcile(key, { client, lister, now, monotonic }) {
      const wait = measurements.wait(key, monotonic());
      if (wait === undefined) return;
      if (wait > 0) return { requeueAfter: wait };
      const quota = lister(resourcequotas).get(key);
      if (!quota) return measurements.forget(key);
      const { namespace } = splitKey(key);
      const counted = firstVersions(kinds.cards.filter(isCounted));
      const byName = (of: { group: string; resource: string }): AnyResource => counted.find((card) => card.group === of.group && card.resource === of.resource)!;
      await measurements.done(key, async () => {
        const planned = plannedStatus(quota, usageOfNamespace(quota, counted, (of) => lister<KubeObject>(byName(of)).list(namespace), now()));
        if (planned) await client.update(resourcequotas, planned, { subresource: "status" });
      });
      if (lister(pods).list(namespace).some((pod) => pod.metadata.deletionTimestamp) && measurements.charged(key, monotonic())) return { requeueAfter: measurements.wait(key, monotonic()) };
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

/**
 * Quotas of the namespace that a deleted object, or one that uses less, counted for; and those of a pod that begins to end, in a while:
 * one that never ends stops to count when its time is up, of which no event tells.
 */
function replenished(card: AnyResource, measurements: Measurements): Watch<KubeObject>["map"] {
  const evaluator = evaluatorOf(card)!;
  return (current, old, { lister, now, monotonic }) => {
    if (!old) return [];
    if (current && !evaluator.released(old, current, now())) {
      const begins = card === pods && current.metadata.deletionTimestamp && !old.metadata.deletionTimestamp;
      return begins ? quotasFor(old, lister).map(keyOf).filter((key) => measurements.charged(key, monotonic())) : [];
    }
    const keys = quotasFor(old, lister).filter((quota) => evaluator.matching(Object.keys(quota.spec?.hard ?? {})).length > 0
      && (inScope(evaluator, quota.spec, old) || (current !== undefined && inScope(evaluator, quota.spec, current)))).map(keyOf);
    for (const key of keys) measurements.now(key);
    return keys;
  };
}

const quotasFor = ({ metadata: { namespace } }: Frozen<KubeObject>, lister: Listers): readonly Frozen<ResourceQuota>[] => lister(resourcequotas).list(namespace);
