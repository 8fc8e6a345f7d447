import { duplicate, invalidValue, required, type FieldError } from "../../../apimachinery/field-errors.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import type { AppArmorProfile, PodSpec, SeccompProfile, SecurityContext } from "../../generated/core/v1.ts";
import { oneOf, relativePath, stated, within } from "../field-rules.ts";

const maxId = 2 ** 31 - 1;
const id = (field: string, value: number | undefined): FieldError[] => (value === undefined ? [] : within(field, value, 0, maxId));
const profileTypes = ["Localhost", "RuntimeDefault", "Unconfined"];

export function validateContainerSecurity(field: string, context: Frozen<SecurityContext> | undefined, hostUsers: boolean): FieldError[] {
  if (!context) return [];
  const { privileged, allowPrivilegeEscalation, capabilities, procMount } = context;
  const errors = [...id(`${field}.runAsUser`, context.runAsUser), ...id(`${field}.runAsGroup`, context.runAsGroup)];
  errors.push(...stated(`${field}.procMount`, procMount, ["Default", "Unmasked"]));
  if (hostUsers && procMount === "Unmasked") errors.push(invalidValue(`${field}.procMount`, procMount, "`hostUsers` must be false to use `Unmasked`"));
  errors.push(...validateSeccomp(`${field}.seccompProfile`, context.seccompProfile), ...validateAppArmor(`${field}.appArmorProfile`, context.appArmorProfile));
  if (allowPrivilegeEscalation !== false) return errors;
  if (privileged) errors.push(invalidValue(field, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"));
  if (capabilities?.add?.includes("CAP_SYS_ADMIN")) errors.push(invalidValue(field, context, "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"));
  return errors;
}

export function validatePodSecurity(field: string, spec: Frozen<PodSpec>): FieldError[] {
  const { securityContext: context = {} } = spec, at = `${field}.securityContext`;
  const errors = [...id(`${at}.fsGroup`, context.fsGroup), ...id(`${at}.runAsUser`, context.runAsUser), ...id(`${at}.runAsGroup`, context.runAsGroup)];
  for (const [index, group] of (context.supplementalGroups ?? []).entries()) errors.push(...id(`${at}.supplementalGroups[${index}]`, group));
  if (spec.shareProcessNamespace && spec.hostPID) errors.push(invalidValue(`${at}.shareProcessNamespace`, true, "ShareProcessNamespace and HostPID cannot both be enabled"));
  return [
    ...errors, ...validateSysctls(`${at}.sysctls`, spec),
    ...stated(`${at}.fsGroupChangePolicy`, context.fsGroupChangePolicy, ["Always", "OnRootMismatch"]),
    ...stated(`${at}.supplementalGroupsPolicy`, context.supplementalGroupsPolicy, ["Merge", "Strict"]),
    ...stated(`${at}.seLinuxChangePolicy`, context.seLinuxChangePolicy, ["Recursive"]),
    ...validateSeccomp(`${at}.seccompProfile`, context.seccompProfile), ...validateAppArmor(`${at}.appArmorProfile`, context.appArmorProfile),
  ];
}

const sysctlSegment = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
const sysctlPattern = `^(${sysctlSegment}[\\./])*${sysctlSegment}$`;
const sysctlName = new RegExp(sysctlPattern);
const ipcSysctl = /^(kernel[./](shm|msg|sem)|fs[./]mqueue[./])/;

function validateSysctls(field: string, spec: Frozen<PodSpec>): FieldError[] {
  const seen = new Set<string>(), errors: FieldError[] = [];
  for (const [index, { name }] of (spec.securityContext?.sysctls ?? []).entries()) {
    const at = `${field}[${index}].name`;
    if (!name) {
      errors.push(required(at));
      continue;
    }
    if (name.length > 253 || !sysctlName.test(name)) errors.push(invalidValue(at, name, `must have at most 253 characters and match regex ${sysctlPattern}`));
    else if (seen.has(name)) errors.push(duplicate(at, name));
    if (spec.hostNetwork && /^net[./]/.test(name)) errors.push(invalidValue(at, name, "may not be specified when 'hostNetwork' is true"));
    if (spec.hostIPC && ipcSysctl.test(name)) errors.push(invalidValue(at, name, "may not be specified when 'hostIPC' is true"));
    seen.add(name);
  }
  return errors;
}

function validateSeccomp(field: string, profile: Frozen<SeccompProfile> | undefined): FieldError[] {
  if (!profile) return [];
  const { type, localhostProfile } = profile, errors = type ? oneOf(`${field}.type`, type, profileTypes) : [required(`${field}.type`, "type is required when seccompProfile is set")];
  if (type === "Localhost") errors.push(...(localhostProfile === undefined ? [required(`${field}.localhostProfile`, "must be set when seccomp type is Localhost")] : relativePath(`${field}.localhostProfile`, localhostProfile)));
  else if (localhostProfile !== undefined) errors.push(invalidValue(`${field}.localhostProfile`, { Type: type ?? "", LocalhostProfile: localhostProfile }, "can only be set when seccomp type is Localhost"));
  return errors;
}

function validateAppArmor(field: string, profile: Frozen<AppArmorProfile> | undefined): FieldError[] {
  if (!profile) return [];
  const { type, localhostProfile } = profile, errors = type ? oneOf(`${field}.type`, type, profileTypes) : [required(`${field}.type`, "type is required when appArmorProfile is set")];
  if (type === "Localhost") {
    if (!localhostProfile) errors.push(required(`${field}.localhostProfile`, "must be set when AppArmor type is Localhost"));
    else if (localhostProfile.trim() !== localhostProfile) errors.push(invalidValue(`${field}.localhostProfile`, localhostProfile, "must not be padded with whitespace"));
  } else if (localhostProfile !== undefined) errors.push(invalidValue(`${field}.localhostProfile`, localhostProfile, "can only be set when AppArmor type is Localhost"));
  return errors;
}
