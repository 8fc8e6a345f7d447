import { forbiddenField, invalidValue, type FieldError } from "../../../apimachinery/field-errors.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import { dns1123SubdomainErrors } from "../../../apimachinery/validation/names.ts";
import type { Pod } from "../../generated/core/v1.ts";
import { validatePodSpec } from "./validation-spec.ts";

export function validatePod(pod: Frozen<Pod>): FieldError[] {
  const { spec } = pod, errors = validateWholePod(pod);
  if (spec.ephemeralContainers?.length) errors.push(forbiddenField("spec.ephemeralContainers", "cannot be set on create"));
  if (spec.nodeName && spec.schedulingGates?.length) errors.push(forbiddenField("spec.nodeName", "cannot be set until all schedulingGates have been cleared"));
  return errors;
}

/** What holds of a pod at any time, and not yet of its template. */
export function validateWholePod({ metadata, spec }: Frozen<Pod>): FieldError[] {
  const errors = validatePodSpec("spec", spec, true);
  for (const [index, { name, ephemeral }] of (spec.volumes ?? []).entries()) {
    const claim = `${metadata.name ?? ""}-${name}`;
    if (ephemeral && metadata.name && name) errors.push(...dns1123SubdomainErrors(claim).map((message) => invalidValue(`spec.volumes[${index}].name`, name, `PVC name ${JSON.stringify(claim)}: ${message}`)));
  }
  if (!spec.serviceAccountName) {
    for (const [index, { projected }] of (spec.volumes ?? []).entries()) {
      for (const [place, { serviceAccountToken }] of (projected?.sources ?? []).entries()) {
        if (serviceAccountToken) errors.push(forbiddenField(`spec.volumes[${index}].projected.sources[${place}].serviceAccountToken`, "must not be specified when serviceAccountName is not set"));
      }
    }
  }
  for (const list of ["containers", "initContainers", "ephemeralContainers"] as const) {
    for (const [index, { image = "" }] of (spec[list] ?? []).entries()) {
      if (image.trim() !== image) errors.push(invalidValue(`spec.${list}[${index}].image`, image, "must not have leading or trailing whitespace"));
    }
  }
  return errors;
}
