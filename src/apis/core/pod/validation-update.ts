import { semanticEqual } from "../../../apimachinery/equality.ts";
import { forbiddenField, invalidValue, type FieldError } from "../../../apimachinery/field-errors.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import type { Container, ContainerStatus, Pod, PodSpec, Toleration } from "../../generated/core/v1.ts";
import { changedFields } from "../changed-fields.ts";
import { dnsSubdomain, given, ipAddress, within } from "../field-rules.ts";
import { levelNarrowing, validateGatesUpdate, validateNarrowing } from "./validation-gated.ts";
import { validateWholePod } from "./validation.ts";

const mutable = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/** A running pod's spec is fixed but for images, a shorter deadline, more tolerations and fewer scheduling gates. */
export function validatePodUpdate(pod: Frozen<Pod>, old: Frozen<Pod>): FieldError[] {
  const errors = validateWholePod(pod);
  for (const list of ["containers", "initContainers"] as const) {
    if ((pod.spec[list] ?? []).length !== (old.spec[list] ?? []).length) return [...errors, forbiddenField(`spec.${list}`, "pod updates may not add or remove containers")];
  }
  const deadline = validateDeadline(pod.spec.activeDeadlineSeconds, old.spec.activeDeadlineSeconds);
  if (deadline.length > 0) return [...errors, ...deadline];
  errors.push(...validateEphemeralContainers(pod, old), ...validateTolerationsUpdate(pod.spec.tolerations ?? [], old.spec.tolerations ?? []), ...validateGatesUpdate(pod.spec, old.spec));
  const leveled = withMutableFieldsOf(pod.spec, old.spec);
  if (old.spec.schedulingGates?.length) {
    errors.push(...validateNarrowing(pod.spec, old.spec));
    levelNarrowing(leveled, structuredClone(old.spec) as PodSpec);
  }
  if (!semanticEqual(leveled, old.spec)) errors.push(forbiddenField("spec", `pod updates may not change fields other than ${mutable}\n${changedFields(leveled, old.spec)}`));
  return errors;
}

function validateDeadline(seconds: number | undefined, old: number | undefined): FieldError[] {
  const at = "spec.activeDeadlineSeconds";
  if (seconds === undefined) return old === undefined ? [] : [invalidValue(at, seconds, "must not update from a positive integer to nil value")];
  const outside = within(at, seconds, 0, 2 ** 31 - 1);
  if (outside.length > 0) return outside;
  return old !== undefined && seconds > old ? [invalidValue(at, seconds, "must be less than or equal to previous value")] : [];
}

/** Existing tolerations stay as they are; only how long one tolerates may change. */
function validateTolerationsUpdate(tolerations: Frozen<Toleration[]>, old: Frozen<Toleration[]>): FieldError[] {
  const sameButSeconds = (a: Frozen<Toleration>, b: Frozen<Toleration>): boolean => semanticEqual({ ...a, tolerationSeconds: undefined }, { ...b, tolerationSeconds: undefined });
  const kept = old.every((one) => tolerations.some((other) => sameButSeconds(one, other)));
  return kept ? [] : [forbiddenField("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")];
}

/** A copy of the new spec with all that may change set back, so that what differs from the old spec is not allowed. */
function withMutableFieldsOf(spec: Frozen<PodSpec>, old: Frozen<PodSpec>): PodSpec {
  const copy = structuredClone(spec) as PodSpec, was = structuredClone(old) as PodSpec;
  const takeImages = (containers: Container[] | undefined, from: Container[] | undefined): void => {
    for (const [index, container] of (containers ?? []).entries()) container.image = from?.[index]?.image;
  };
  takeImages(copy.containers, was.containers);
  takeImages(copy.initContainers, was.initContainers);
  for (const field of ["activeDeadlineSeconds", "ephemeralContainers", "schedulingGates", "tolerations"] as const) take(copy, was, field);
  if ((was.terminationGracePeriodSeconds ?? 0) < 0 && copy.terminationGracePeriodSeconds === 1) take(copy, was, "terminationGracePeriodSeconds");
  return copy;
}

function take<K extends keyof PodSpec>(spec: PodSpec, from: PodSpec, field: K): void {
  if (from[field] === undefined) delete spec[field];
  else spec[field] = from[field];
}

/** Only the ephemeralcontainers subresource gets this far with a change of these; they may be added, not altered. */
function validateEphemeralContainers(pod: Frozen<Pod>, old: Frozen<Pod>): FieldError[] {
  const at = "spec.ephemeralContainers", now = pod.spec.ephemeralContainers ?? [], was = old.spec.ephemeralContainers ?? [];
  if (now.length > was.length && old.metadata.annotations?.[mirrorAnnotation] !== undefined) return [forbiddenField("", "static pods do not support ephemeral containers")];
  return was.flatMap((container) => {
    const same = now.find(({ name }) => name === container.name), quoted = JSON.stringify(container.name);
    if (!same) return [forbiddenField(at, `existing ephemeral containers ${quoted} may not be removed\n`)];
    return semanticEqual(same, container) ? [] : [forbiddenField(at, `existing ephemeral containers ${quoted} may not be changed\n`)];
  });
}

/** On the API's copy of a pod that a node runs from a file. */
const mirrorAnnotation = "kubernetes.io/config.mirror";

export function validatePodStatusUpdate(pod: Frozen<Pod>, old: Frozen<Pod>): FieldError[] {
  const status = pod.status ?? {}, was = old.status ?? {}, errors: FieldError[] = [];
  if (status.nominatedNodeName !== was.nominatedNodeName) errors.push(...given(status.nominatedNodeName, (name) => dnsSubdomain("status.nominatedNodeName", name)));
  if (was.qosClass && status.qosClass !== was.qosClass) errors.push(invalidValue("status.qosClass", status.qosClass, "field is immutable"));
  errors.push(...(status.podIPs ?? []).flatMap(({ ip }, index) => ipAddress(`status.podIPs[${index}]`, ip)));
  for (const list of ["containerStatuses", "initContainerStatuses"] as const) errors.push(...validateTransitions(list, status[list] ?? [], was[list] ?? [], old.spec));
  return errors;
}

/** A container that ended and is not to be restarted stays ended. */
function validateTransitions(list: "containerStatuses" | "initContainerStatuses", statuses: Frozen<ContainerStatus[]>, old: Frozen<ContainerStatus[]>, spec: Frozen<PodSpec>): FieldError[] {
  if (mayRestartAll(spec)) return [];
  const containers = (list === "containerStatuses" ? spec.containers : spec.initContainers) ?? [];
  return old.flatMap(({ name, state }, index) => {
    const exitCode = state?.terminated?.exitCode;
    const now = statuses.find((status) => status.name === name);
    if (exitCode === undefined || !now || now.state?.terminated) return [];
    const container = containers.find((one) => one.name === name);
    return container && mayRestart(container, spec, exitCode) ? [] : [forbiddenField(`status.${list}[${index}].state`, "may not be transitioned to non-terminated state")];
  });
}

/** Whether the end of one container may start all of them again, whatever their own policies. */
const mayRestartAll = ({ containers, initContainers = [] }: Frozen<PodSpec>): boolean =>
  [...containers, ...initContainers].some(({ restartPolicyRules }) => restartPolicyRules?.some(({ action }) => action === "RestartAllContainers"));

function mayRestart(container: Frozen<Container>, spec: Frozen<PodSpec>, exitCode: number): boolean {
  for (const { action, exitCodes } of container.restartPolicyRules ?? []) {
    const listed = exitCodes?.values?.includes(exitCode) ?? false;
    if (action === "Restart" && exitCodes && listed === (exitCodes.operator === "In")) return true;
  }
  const policy = container.restartPolicy ?? spec.restartPolicy;
  return policy === "Always" || (policy === "OnFailure" && exitCode !== 0);
}
