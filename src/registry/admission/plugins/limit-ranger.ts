import type { Frozen } from "../../../apimachinery/meta.ts";
import { compareQuantities, formatQuantity, milliValue, parseQuantity, value, type Quantity } from "../../../apimachinery/quantity.ts";
import { forbidden } from "../../../apimachinery/status.ts";
import { amountsOf, type Amounts } from "../../../apis/core/quota/amounts.ts";
import { isRestartableInitContainer } from "../../../apis/core/pod/resources.ts";
import type { Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod } from "../../../apis/generated/core/v1.ts";
import type { Listers } from "../../listers.ts";
import { defineAdmission, type Admission, type AdmissionAttributes } from "../admission.ts";

const annotation = "kubernetes.io/limit-ranger";

/** Fills in containers' requests and limits from the namespace's LimitRanges and holds pods and claims to them. Source: kubernetes plugin/pkg/admission/limitranger. */
export function limitRanger({ listers }: { listers: Listers }): Admission {
  const ranges = listers<LimitRange>("", "limitranges");
  return defineAdmission({
    name: "LimitRanger",
    operations: ["CREATE", "UPDATE"],
    resources: ["pods", "pods/resize", "persistentvolumeclaims"],
    admit(attributes) {
      if (!concerns(attributes) || attributes.card.resource !== "pods") return;
      for (const range of ranges.list(attributes.namespace)) setDefaults(range, attributes.object as Pod);
    },
    validate(attributes) {
      if (!concerns(attributes)) return;
      for (const { spec } of ranges.list(attributes.namespace)) {
        const errors = attributes.card.resource === "pods" ? podErrors(spec?.limits ?? [], attributes.object as Pod) : claimErrors(spec?.limits ?? [], attributes.object as PersistentVolumeClaim);
        if (errors.length) throw forbidden(attributes.card, attributes.name || attributes.object!.metadata.name || "", aggregate(errors));
      }
    },
  });
}

/** A pod's own resources can't change but through resize; what is being deleted is left alone. */
const concerns = ({ card, operation, subresource, oldObject }: AdmissionAttributes): boolean =>
  !oldObject?.metadata.deletionTimestamp && (subresource === "resize" ? operation === "UPDATE" : card.resource !== "pods" || operation === "CREATE");

/** Equal messages are given once, as Kubernetes' aggregated errors do. */
const aggregate = (errors: readonly string[]): string => {
  const different = [...new Set(errors)];
  return different.length === 1 ? different[0]! : `[${different.join(", ")}]`;
};

function setDefaults(range: Frozen<LimitRange>, pod: Pod): void {
  const requests: Record<string, string | number> = {}, limits: Record<string, string | number> = {};
  for (const item of range.spec?.limits ?? []) {
    if (item.type !== "Container") continue;
    Object.assign(requests, item.defaultRequest);
    Object.assign(limits, item.default);
  }
  const notes = [...pod.spec.containers.flatMap((each) => mergeInto(each, "container", requests, limits)), ...(pod.spec.initContainers ?? []).flatMap((each) => mergeInto(each, "init container", requests, limits))];
  if (notes.length) (pod.metadata.annotations ??= {})[annotation] = `LimitRanger plugin set: ${notes.join("; ")}`;
}

function mergeInto(container: Container, kind: string, requests: Record<string, string | number>, limits: Record<string, string | number>): string[] {
  const missingLimits = Object.keys(limits).filter((name) => container.resources?.limits?.[name] === undefined).sort();
  const missingRequests = Object.keys(requests).filter((name) => container.resources?.requests?.[name] === undefined).sort();
  const resources = (missingLimits.length || missingRequests.length ? (container.resources ??= {}) : {});
  for (const name of missingLimits) (resources.limits ??= {})[name] = limits[name]!;
  for (const name of missingRequests) (resources.requests ??= {})[name] = requests[name]!;
  const note = (names: readonly string[], what: string): string[] => (names.length ? [`${names.join(", ")} ${what} for ${kind} ${container.name}`] : []);
  return [...note(missingRequests, "request"), ...note(missingLimits, "limit")];
}

type Item = Frozen<LimitRangeItem>;

function claimErrors(items: readonly Item[], claim: PersistentVolumeClaim): string[] {
  const requests = amountsOf(claim.spec?.resources?.requests);
  return items.filter(({ type }) => type === "PersistentVolumeClaim").flatMap((item) => [
    ...each(item.min, (name, least) => belowMin(item.type, name, least, requests, new Map())),
    ...each(item.max, (name, most) => requestAboveMax(item.type, name, most, requests)),
  ]);
}

function podErrors(items: readonly Item[], pod: Pod): string[] {
  return items.flatMap((item) => {
    if (item.type === "Container") {
      return [...pod.spec.containers, ...pod.spec.initContainers ?? []].flatMap(({ resources }) => errorsOf(item, amountsOf(resources?.requests), amountsOf(resources?.limits)));
    }
    return item.type === "Pod" ? errorsOf(item, podTotal(pod, "requests"), podTotal(pod, "limits")) : [];
  });
}

const errorsOf = (item: Item, requests: Amounts, limits: Amounts): string[] => [
  ...each(item.min, (name, least) => belowMin(item.type, name, least, requests, limits)),
  ...each(item.max, (name, most) => aboveMax(item.type, name, most, requests, limits)),
  ...each(item.maxLimitRequestRatio, (name, most) => aboveRatio(item.type, name, most, requests, limits)),
];

function each(amounts: Frozen<Record<string, string | number>> | undefined, check: (name: string, enforced: Quantity) => string | undefined): string[] {
  return Object.entries(amounts ?? {}).flatMap(([name, text]) => check(name, parseQuantity(text)) ?? []);
}

function belowMin(type: string, name: string, least: Quantity, requests: Amounts, limits: Amounts): string | undefined {
  const request = requests.get(name), limit = limits.get(name);
  const rule = `minimum ${name} usage per ${type} is ${formatQuantity(least)}`;
  if (!request) return `${rule}.  No request is specified`;
  if (compareQuantities(request, least) < 0) return `${rule}, but request is ${formatQuantity(request)}`;
  return limit && compareQuantities(limit, least) < 0 ? `${rule}, but limit is ${formatQuantity(limit)}` : undefined;
}

function requestAboveMax(type: string, name: string, most: Quantity, requests: Amounts): string | undefined {
  const request = requests.get(name);
  const rule = `maximum ${name} usage per ${type} is ${formatQuantity(most)}`;
  if (!request) return `${rule}.  No request is specified`;
  return compareQuantities(request, most) > 0 ? `${rule}, but request is ${formatQuantity(request)}` : undefined;
}

function aboveMax(type: string, name: string, most: Quantity, requests: Amounts, limits: Amounts): string | undefined {
  const request = requests.get(name), limit = limits.get(name);
  const rule = `maximum ${name} usage per ${type} is ${formatQuantity(most)}`;
  if (!limit) return `${rule}.  No limit is specified`;
  if (compareQuantities(limit, most) > 0) return `${rule}, but limit is ${formatQuantity(limit)}`;
  return request && compareQuantities(request, most) > 0 ? `${rule}, but request is ${formatQuantity(request)}` : undefined;
}

/** Whole units where thousandths would not fit 64 bits, as Kubernetes reckons. */
const mostMilli = Number((2n ** 63n - 1n) / 1000n);

function aboveRatio(type: string, name: string, most: Quantity, requests: Amounts, limits: Amounts): string | undefined {
  const request = requests.get(name), limit = limits.get(name);
  const rule = `${name} max limit to request ratio per ${type} is ${formatQuantity(most)}`;
  if (!request || request.nano === 0n) return `${rule}, but no request is specified or request is 0`;
  if (!limit || limit.nano === 0n) return `${rule}, but no limit is specified or limit is 0`;
  const exact = [request, limit, most].every((amount) => value(amount) <= mostMilli) ? milliValue : value;
  const ratio = exact(limit) / exact(request);
  return ratio * 1000 > milliValue(most) ? `${rule}, but provided ratio is ${ratio.toFixed(6)}` : undefined;
}

/** What a pod's containers come to: all that run at once, or the largest moment of initialisation; CPU and memory of the pod as a whole where stated. */
function podTotal({ spec }: Pod, field: "requests" | "limits"): Amounts {
  const total = new Map<string, Quantity>(), sidecars = new Map<string, Quantity>(), peak = new Map<string, Quantity>();
  const of = (container: Container): Amounts => amountsOf(container.resources?.[field]);
  for (const container of spec.containers) addTo(total, of(container));
  for (const container of spec.initContainers ?? []) {
    const moment = new Map(sidecars);
    addTo(moment, of(container));
    if (isRestartableInitContainer(container as Frozen<Container>)) {
      addTo(total, of(container));
      addTo(sidecars, of(container));
    }
    raiseTo(peak, moment);
  }
  raiseTo(total, peak);
  for (const [name, amount] of amountsOf(spec.resources?.[field])) if (name === "cpu" || name === "memory") total.set(name, amount);
  return total;
}

function addTo(into: Map<string, Quantity>, more: Amounts): void {
  for (const [name, amount] of more) into.set(name, { nano: (into.get(name)?.nano ?? 0n) + amount.nano, format: into.get(name)?.format ?? amount.format });
}

function raiseTo(into: Map<string, Quantity>, other: Amounts): void {
  for (const [name, amount] of other) if (!into.has(name) || compareQuantities(into.get(name)!, amount) < 0) into.set(name, amount);
}
