import type { Frozen, KubeObject } from "../../../../apimachinery/meta.ts";
import { render } from "../../../../apimachinery/field-errors.ts";
import { internalError, invalid } from "../../../../apimachinery/status.ts";
import type { Namespace, Pod, PodTemplateSpec } from "../../../../apis/generated/core/v1.ts";
import type { Listers } from "../../../listers.ts";
import { defineAdmission, type Admission, type AdmissionAttributes } from "../../admission.ts";
import { refuse } from "../../refuse.ts";
import type { PodView } from "./check.ts";
import { describe, isFullyPrivileged, policyOf, privilegedPolicy, rank, show, violations, type LevelVersion, type Policy } from "./policy.ts";

const workloads = [
  "podtemplates", "replicationcontrollers", "replicasets.apps", "deployments.apps", "statefulsets.apps", "daemonsets.apps", "jobs.batch", "cronjobs.batch",
];
/** As many pods as are looked at when a namespace becomes stricter, as in Kubernetes. */
const mostPodsChecked = 3000;

/** Who is not held to any policy, and what holds where a namespace says nothing. */
export interface PodSecurityConfiguration {
  defaults?: Policy;
  exemptions?: { usernames?: readonly string[]; namespaces?: readonly string[]; runtimeClasses?: readonly string[] };
}

/** Holds pods to the Pod Security Standards that their namespace names. Source: k8s.io/pod-security-admission/admission. */
export function podSecurity({ listers, configuration: { defaults = privilegedPolicy, exemptions = {} } = {} }: { listers: Listers; configuration?: PodSecurityConfiguration }): Admission {
  const namespaces = listers<Namespace>("", "namespaces");
  const pods = listers<Pod>("", "pods");

  /** `enforce`: a pod, which may be refused; else the template of one. */
  function evaluate(attributes: AdmissionAttributes, pod: PodTemplateSpec | Pod | undefined, enforce: boolean): void {
    const { context, namespace, operation, oldObject } = attributes;
    const annotate = (key: string, value: string): void => context.annotate?.(`pod-security.kubernetes.io/${key}`, value);
    if (exemptions.namespaces?.includes(namespace)) return annotate("exempt", "namespace");
    if (exemptions.usernames?.includes(context.user.name)) return annotate("exempt", "user");
    const found = namespaces.get(namespace);
    if (!found && enforce) throw internalError(`failed to lookup namespace ${JSON.stringify(namespace)}`);
    const { policy, errors } = policyOf(found?.metadata.labels, defaults);
    if (errors.length === 0 && isFullyPrivileged(policy)) return enforce ? annotate("enforce-policy", show(privilegedPolicy.enforce)) : undefined;
    if (!pod?.spec || (enforce && operation === "UPDATE" && !changesImages(pod as Pod, oldObject as Frozen<Pod>))) return;
    if (pod.spec.runtimeClassName && exemptions.runtimeClasses?.includes(pod.spec.runtimeClassName)) return annotate("exempt", "runtimeClass");
    if (errors.length) annotate("error", `Failed to parse policy: ${aggregate(errors.map(render))}`);
    const view: PodView = { annotations: pod.metadata?.annotations ?? {}, spec: pod.spec as PodView["spec"] };
    const [enforced, audited] = [enforce ? violations(policy.enforce, view) : [], violations(policy.audit, view)];
    if (enforce) annotate("enforce-policy", show(policy.enforce));
    if (audited.length) annotate("audit-violations", `would violate PodSecurity ${JSON.stringify(show(policy.audit))}: ${describe(audited)}`);
    if (enforced.length) throw refuse(attributes, `violates PodSecurity ${JSON.stringify(show(policy.enforce))}: ${describe(enforced)}`);
    const warned = violations(policy.warn, view);
    if (warned.length) context.warn(`would violate PodSecurity ${JSON.stringify(show(policy.warn))}: ${describe(warned)}`);
  }

  function validateNamespace({ context, card, operation, object, oldObject }: AdmissionAttributes): void {
    const { labels, name = "" } = object!.metadata;
    const { policy, errors } = policyOf(labels, defaults);
    const old = operation === "UPDATE" ? policyOf(oldObject?.metadata.labels, defaults) : undefined;
    if (errors.length && !(old && Bun.deepEquals(old.errors, errors))) throw invalid(card, name, errors);
    if (old && !isStricter(policy.enforce, old.policy.enforce)) return;
    if (exemptions.namespaces?.includes(name)) {
      const ignored = exemptText(policy, labels ?? {});
      if (!isFullyPrivileged(policy) && !Bun.deepEquals(policy, defaults)) context.warn(`namespace ${JSON.stringify(name)} is exempt from Pod Security, and the policy (${ignored}) will be ignored`);
    } else if (old) {
      for (const text of existingPods(name, policy.enforce)) context.warn(text);
    }
  }

  /** What pods that are there already do that the new level would not let them. */
  function existingPods(namespace: string, enforce: LevelVersion): string[] {
    const all = oneOfEachController(pods.list(namespace).filter(({ spec }) => !spec.runtimeClassName || !exemptions.runtimeClasses?.includes(spec.runtimeClassName)));
    const checked = all.slice(0, mostPodsChecked);
    const byReason = new Map<string, string[]>();
    for (const pod of checked) {
      const reason = violations(enforce, { annotations: pod.metadata.annotations ?? {}, spec: pod.spec }).map((violation) => violation.reason).join(", ");
      if (reason) byReason.set(reason, [...byReason.get(reason) ?? [], pod.metadata.name!]);
    }
    const texts = [...byReason].map(([reason, names]) => {
      const others = names.length - 1;
      return `${names.sort()[0]}${others ? ` (and ${others} other ${others === 1 ? "pod" : "pods"})` : ""}: ${reason}`;
    }).sort();
    return [
      ...(checked.length < all.length ? [`new PodSecurity enforce level only checked against the first ${checked.length} of ${all.length} existing pods`] : []),
      ...(texts.length ? [`existing pods in namespace ${JSON.stringify(namespace)} violate the new PodSecurity enforce level ${JSON.stringify(show(enforce))}`] : []),
      ...texts,
    ];
  }

  return defineAdmission({
    name: "PodSecurity",
    operations: ["CREATE", "UPDATE"],
    resources: ["namespaces", "pods", "pods/ephemeralcontainers", "pods/resize", ...workloads],
    validate(attributes) {
      const { card, object } = attributes;
      if (card.group === "" && card.resource === "namespaces") validateNamespace(attributes);
      else if (card.group === "" && card.resource === "pods") evaluate(attributes, object as Pod, true);
      else evaluate(attributes, templateOf(object!), false);
    },
  });
}

/** As Go shows several errors. */
const aggregate = (texts: readonly string[]): string => (texts.length === 1 ? texts[0]! : `[${texts.join(", ")}]`);

type Templated = KubeObject & { template?: PodTemplateSpec; spec?: { template?: PodTemplateSpec; jobTemplate?: { spec?: { template?: PodTemplateSpec } } } };
/** Where the kinds that make pods keep their template. */
const templateOf = (object: KubeObject): PodTemplateSpec | undefined => {
  const { template, spec } = object as Templated;
  return template ?? spec?.template ?? spec?.jobTemplate?.spec?.template;
};

/** Whether a namespace asks for more than it did: an update that does not is not worth a look at its pods. */
function isStricter(current: LevelVersion, old: LevelVersion): boolean {
  if (current.level === "privileged" || Bun.deepEquals(current, old)) return false;
  return current.version !== old.version || rank(current.level) > rank(old.level);
}

function exemptText(policy: Policy, labels: Readonly<Record<string, string>>): string {
  const asked = (["enforce", "audit", "warn"] as const).filter((mode) =>
    policy[mode].level !== "privileged" && [`pod-security.kubernetes.io/${mode}`, `pod-security.kubernetes.io/${mode}-version`].some((label) => labels[label] !== undefined));
  return asked.map((mode) => `${mode}=${show(policy[mode])}`).join(", ");
}

/** Of an existing pod only images and new debug containers can change what it may do. */
function changesImages({ spec }: Pod, { spec: old }: Frozen<Pod>): boolean {
  const differ = (current: readonly { image?: string }[] = [], before: readonly { image?: string }[] = []): boolean => current.length !== before.length || current.some(({ image }, i) => image !== before[i]!.image);
  return differ(spec.containers, old.containers) || differ(spec.initContainers, old.initContainers)
    || (spec.ephemeralContainers ?? []).some(({ name, image }) => old.ephemeralContainers?.find((each) => each.name === name)?.image !== image);
}

/** One pod of each controller before the others, which are likely the same. */
function oneOfEachController(pods: readonly Frozen<Pod>[]): Frozen<Pod>[] {
  const seen = new Set<string>();
  const first: Frozen<Pod>[] = [], rest: Frozen<Pod>[] = [];
  for (const pod of pods) {
    const controller = pod.metadata.ownerReferences?.find((reference) => reference.controller)?.uid;
    (controller !== undefined && seen.has(controller) ? rest : first).push(pod);
    if (controller) seen.add(controller);
  }
  return [...first, ...rest];
}
