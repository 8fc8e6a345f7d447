import type { Frozen } from "../../../apimachinery/meta.ts";
import { forbidden, isConflict, type StatusError } from "../../../apimachinery/status.ts";
import type { ResourceQuota } from "../../../apis/generated/core/v1.ts";
import { add, amountsOf, describeAmounts, exceeded, listOf, only, sameAmounts, subtract, withoutZeros, type Amounts } from "../../../apis/core/quota/amounts.ts";
import type { QuotaEvaluator } from "../../../apis/core/quota/evaluator.ts";
import { evaluatorOf, inScope } from "../../../apis/core/quota/quota.ts";
import type { Listers } from "../../listers.ts";
import { defineAdmission, type Admission, type AdmissionAttributes } from "../admission.ts";

/** Conflicts come of the quota controller and of other servers: tried again this often, as in Kubernetes. */
const retries = 3;

export interface ResourceQuotaOptions {
  listers: Listers;
  now(): number;
  /** Writes a quota's status; throws a Conflict when it has changed meanwhile. */
  updateStatus(quota: ResourceQuota): Promise<unknown>;
}

/**
 * Charges a write to the quotas of its namespace, or refuses it. Requests of one namespace take their turn, and a charge is stored
 * before the object is: two at once never get what is left for one. Source: k8s.io/apiserver pkg/admission/plugin/resourcequota.
 */
export function resourceQuota({ listers, now, updateStatus }: ResourceQuotaOptions): Admission {
  const quotas = listers<ResourceQuota>("", "resourcequotas");
  const turns = new Map<string, Promise<void>>();

  async function inTurn(namespace: string, work: () => Promise<void>): Promise<void> {
    const before = turns.get(namespace);
    const mine = (async () => {
      await before?.catch(() => undefined);
      await work();
    })();
    turns.set(namespace, mine);
    try {
      await mine;
    } finally {
      if (turns.get(namespace) === mine) turns.delete(namespace);
    }
  }

  async function charge(attributes: AdmissionAttributes, evaluator: QuotaEvaluator): Promise<void> {
    let left: ReadonlySet<string> | undefined;
    for (let attempt = 0; ; attempt++) {
      const current = quotas.list(attributes.namespace).filter(({ metadata }) => !left || left.has(metadata.name!));
      const changed = checkRequest(current, attributes, evaluator, now());
      if (attributes.dryRun) return;
      const failed = new Set<string>();
      for (const quota of changed) {
        try {
          await updateStatus(quota);
        } catch (error) {
          if (!isConflict(error) || attempt === retries) throw error;
          failed.add(quota.metadata.name!);
        }
      }
      if (failed.size === 0) return;
      left = failed;
    }
  }

  return defineAdmission({
    name: "ResourceQuota",
    operations: ["CREATE", "UPDATE"],
    resources: ["*"],
    async validate(attributes) {
      const { namespace, card, operation, subresource, object, oldObject } = attributes;
      if (!namespace || card.scope !== "Namespaced" || quotas.list(namespace).length === 0) return;
      const evaluator = evaluatorOf(card);
      if (evaluator?.handles({ operation, subresource, object: object as Frozen<typeof object>, oldObject })) await inTurn(namespace, () => charge(attributes, evaluator));
    },
  });
}

/** The quotas that the write changes, with the use they then have; throws 403 when one does not allow it. */
function checkRequest(quotas: readonly Frozen<ResourceQuota>[], attributes: AdmissionAttributes, evaluator: QuotaEvaluator, now: number): ResourceQuota[] {
  const object = attributes.object as Frozen<NonNullable<AdmissionAttributes["object"]>>;
  const concerned = quotas.flatMap((quota) => {
    const names = evaluator.matching(Object.keys(quota.status?.hard ?? {}));
    return names.length > 0 && inScope(evaluator, quota.spec, object) ? [{ quota, names }] : [];
  });
  for (const { quota, names } of concerned) checkStated(quota, names, attributes, evaluator);
  if (concerned.length === 0) return [];

  const usage = evaluator.usage(object, now);
  const negative = [...usage].filter(([, { nano }]) => nano < 0n).map(([name]) => name);
  if (negative.length) throw refuse(attributes, `quota usage is negative for resource(s): ${negative.sort().join(",")}`);
  const old = attributes.operation === "UPDATE" ? attributes.oldObject : undefined;
  const rise = old && subtract(usage, evaluator.usage(old, now));
  return concerned.flatMap(({ quota }) => {
    const delta = withoutZeros(rise && inScope(evaluator, quota.spec, old!) ? rise : usage);
    return delta.size === 0 ? [] : charged(quota, delta, attributes);
  });
}

function checkStated(quota: Frozen<ResourceQuota>, names: readonly string[], attributes: AdmissionAttributes, evaluator: QuotaEvaluator): void {
  const missing = evaluator.missing?.(names, attributes.object as Frozen<NonNullable<AdmissionAttributes["object"]>>);
  if (missing) throw refuse(attributes, `failed quota: ${quota.metadata.name}: ${missing}`);
  if (names.some((name) => quota.status?.used?.[name] === undefined)) {
    throw refuse(attributes, `status unknown for quota: ${quota.metadata.name}, resources: ${[...names].sort().join(",")}`);
  }
}

function charged(quota: Frozen<ResourceQuota>, delta: Amounts, attributes: AdmissionAttributes): ResourceQuota[] {
  const hard = amountsOf(quota.status?.hard), used = amountsOf(quota.status?.used);
  const requested = only(delta, hard);
  const after = add(used, requested);
  const over = new Set(exceeded(only(after, requested), hard));
  if (over.size > 0 && attributes.subresource !== "status") {
    throw refuse(attributes, `exceeded quota: ${quota.metadata.name}, requested: ${describeAmounts(only(requested, over))}, used: ${describeAmounts(only(used, over))}, limited: ${describeAmounts(only(hard, over))}`);
  }
  if (sameAmounts(used, after)) return [];
  return [{ ...structuredClone(quota) as ResourceQuota, status: { ...structuredClone(quota.status) as ResourceQuota["status"], used: listOf(after) } }];
}

const refuse = ({ card, name, object }: AdmissionAttributes, detail: string): StatusError => forbidden(card, name || object?.metadata.name || "", detail);
