import { duplicate, invalidValue, render, type FieldError } from "../../../../apimachinery/field-errors.ts";
import { isObject, type JsonObject } from "../../../../apimachinery/own.ts";
import type { PodSecurityConfiguration } from "./pod-security.ts";
import { isLevel, isVersion, levels, type LevelVersion, type Mode } from "./policy.ts";

const exemptions = ["usernames", "runtimeClasses", "namespaces"] as const;

/**
 * Reads a PodSecurityConfiguration of pod-security.admission.config.k8s.io/v1. Throws an Error that names everything that is wrong.
 * Source: k8s.io/pod-security-admission/admission/api.
 */
export function parsePodSecurityConfiguration(content: JsonObject): PodSecurityConfiguration {
  if (content["apiVersion"] !== "pod-security.admission.config.k8s.io/v1" || content["kind"] !== "PodSecurityConfiguration") {
    throw new Error('it must have apiVersion "pod-security.admission.config.k8s.io/v1" and kind "PodSecurityConfiguration"');
  }
  const errors: FieldError[] = [];
  const defaults = membersOf(content, "defaults", (["enforce", "audit", "warn"] as const).flatMap((mode) => [mode, `${mode}-version`]), errors);
  const exempt = membersOf(content, "exemptions", exemptions, errors);
  const modeOf = (mode: Mode): LevelVersion => {
    const level = defaults[mode] || "privileged", version = defaults[`${mode}-version`] || "latest";
    if (!isLevel(level)) errors.push(invalidValue(`defaults.${mode}`, level, `must be one of ${levels.join(", ")}`));
    if (!isVersion(version)) errors.push(invalidValue(`defaults.${mode}-version`, version, 'must be "latest" or "v1.x"'));
    return { level, version } as LevelVersion;
  };
  const configuration = {
    defaults: { enforce: modeOf("enforce"), audit: modeOf("audit"), warn: modeOf("warn") },
    exemptions: Object.fromEntries(exemptions.map((list) => [list, namesOf(exempt[list], `exemptions.${list}`, errors)])),
  };
  if (errors.length) throw new Error(errors.map(render).join(", "));
  return configuration;
}

function membersOf(content: JsonObject, name: string, known: readonly string[], errors: FieldError[]): JsonObject {
  const object = content[name] ?? {};
  if (!isObject(object)) errors.push(invalidValue(name, object, "must be an object"));
  const members = isObject(object) ? object : {};
  for (const member of Object.keys(members)) if (!known.includes(member)) errors.push(invalidValue(`${name}.${member}`, members[member], "unknown field"));
  return members;
}

function namesOf(value: unknown, path: string, errors: FieldError[]): string[] {
  const list: unknown[] = Array.isArray(value) ? value : [];
  if (value !== undefined && value !== null && !Array.isArray(value)) errors.push(invalidValue(path, value, "must be a list"));
  list.forEach((name, i) => {
    if (typeof name !== "string" || name === "") errors.push(invalidValue(`${path}[${i}]`, name, "must be a name"));
    else if (list.indexOf(name) < i) errors.push(duplicate(`${path}[${i}]`, name));
  });
  return list as string[];
}
