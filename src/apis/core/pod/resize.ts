import { semanticEqual } from "../../../apimachinery/equality.ts";
import { forbiddenField, invalidValue, type FieldError } from "../../../apimachinery/field-errors.ts";
import { thaw, type Frozen } from "../../../apimachinery/meta.ts";
import type { View } from "../../../apimachinery/resource.ts";
import type { Container, Pod, PodSpec, ResourceRequirements } from "../../generated/core/v1.ts";
import { qosClassOf } from "./qos.ts";
import { isRestartableInitContainer } from "./resources.ts";
import { validateWholePod } from "./validation.ts";

/** PUT and PATCH of pods/resize: CPU and memory of a pod that runs. Source: kubernetes ValidatePodResize. */
export const podResize: View<Pod> = {
  prepareForUpdate(pod, old) {
    if (old.metadata.generation !== undefined && !semanticEqual(pod.spec, old.spec)) pod.metadata.generation = old.metadata.generation + 1;
  },
  validateUpdate: validateResize,
};

function validateResize(pod: Frozen<Pod>, old: Frozen<Pod>): FieldError[] {
  if (old.metadata.annotations?.["kubernetes.io/config.mirror"] !== undefined) return [forbiddenField("", "static pods cannot be resized")];
  if (old.spec.os?.name === "windows") return [forbiddenField("", "windows pods cannot be resized")];
  const errors = validateWholePod(pod);
  if (qosClassOf(pod) !== (old.status?.qosClass ?? qosClassOf(old))) errors.push(invalidValue("spec", pod.status?.qosClass ?? "", "Pod QOS Class may not change as a result of resizing"));
  const running = (old.status?.containerStatuses ?? []).find(({ state }) => state?.running);
  if (running && !running.resources) errors.push(forbiddenField("spec", "Pod running on node without support for resize"));
  const moved = validateOrder(pod.spec, old.spec);
  if (moved.length > 0) return [...errors, ...moved];
  for (const list of ["initContainers", "containers"] as const) {
    for (const [index, { resources: was }] of (old.spec[list] ?? []).entries()) errors.push(...validateRemoval(`spec.${list}[${index}].resources`, pod.spec[list]![index]!.resources, was));
  }
  errors.push(...validateRemoval("spec.resources", pod.spec.resources, old.spec.resources));
  const leveled = thaw<PodSpec>(pod.spec);
  level(leveled, old.spec.resources);
  errors.push(...validateContainers(leveled, old.spec));
  if (errors.length > 0 || semanticEqual(leveled, old.spec)) return errors;
  return [forbiddenField("spec", "only cpu and memory resources are mutable")];
}

function validateOrder(spec: Frozen<PodSpec>, old: Frozen<PodSpec>): FieldError[] {
  return (["containers", "initContainers"] as const).flatMap((list) => {
    const now = spec[list] ?? [], was = old[list] ?? [];
    if (now.length !== was.length) return [forbiddenField(`spec.${list}`, `${list} may not be added or removed on resize`)];
    return was.flatMap(({ name }, index) => (now[index]!.name === name ? [] : [forbiddenField(`spec.${list}[${index}].name`, `${list} may not be renamed or reordered on resize`)]));
  });
}

function validateRemoval(field: string, resources: Frozen<ResourceRequirements> | undefined, old: Frozen<ResourceRequirements> | undefined): FieldError[] {
  return (["requests", "limits"] as const).flatMap((list) => {
    const removed = Object.keys(old?.[list] ?? {}).some((name) => resources?.[list]?.[name] === undefined);
    return removed ? [forbiddenField(`${field}.${list}`, `resource ${list} cannot be removed`)] : [];
  });
}

/** What is left of a difference once CPU and memory are as they were is too much. Levels the containers of `spec`. */
function validateContainers(spec: PodSpec, old: Frozen<PodSpec>): FieldError[] {
  const errors: FieldError[] = [];
  for (const [index, container] of spec.containers.entries()) {
    level(container, old.containers[index]!.resources);
    if (!semanticEqual(container, old.containers[index])) errors.push(forbiddenField("spec", "only cpu and memory resources are mutable"));
  }
  for (const [index, container] of (spec.initContainers ?? []).entries()) {
    const was = old.initContainers![index]!, at = `spec.initContainers[${index}]`, modified = !semanticEqual(container, was);
    level(container, was.resources);
    if (!semanticEqual(container, was)) errors.push(forbiddenField(at, "only cpu and memory resources for init or sidecar containers are mutable"));
    if (modified && !isRestartableInitContainer(container) && container.resizePolicy?.some(({ restartPolicy }) => restartPolicy === "RestartContainer")) {
      errors.push(forbiddenField(at, "non-sidecar init containers with a resize policy of RestartContainer cannot be resized"));
    }
  }
  return errors;
}

function level(holder: Pick<Container, "resources">, old: Frozen<ResourceRequirements> | undefined): void {
  if (!holder.resources) return;
  for (const list of ["requests", "limits"] as const) {
    const amounts = { ...holder.resources[list] };
    for (const name of ["cpu", "memory"]) {
      const was = old?.[list]?.[name];
      if (was === undefined) delete amounts[name];
      else amounts[name] = was;
    }
    if (Object.keys(amounts).length > 0) holder.resources[list] = amounts;
    else delete holder.resources[list];
  }
  if (!old && Object.keys(holder.resources).length === 0) delete holder.resources;
}
