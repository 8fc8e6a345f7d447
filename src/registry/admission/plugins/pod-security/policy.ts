import { invalidValue, type FieldError } from "../../../../apimachinery/field-errors.ts";
import { baseline } from "./baseline.ts";
import type { Check, CheckPod, PodView, Violation } from "./check.ts";
import { restricted } from "./restricted.ts";

export type Level = "privileged" | "baseline" | "restricted";
export const levels: readonly Level[] = ["privileged", "baseline", "restricted"];

/** A level as it was in one version: `restricted:latest`. */
export interface LevelVersion {
  level: Level;
  /** `latest` or `v1.<minor>`. */
  version: string;
}

export type Mode = "enforce" | "audit" | "warn";
export type Policy = Readonly<Record<Mode, LevelVersion>>;

export const privilegedPolicy: Policy = { enforce: { level: "privileged", version: "latest" }, audit: { level: "privileged", version: "latest" }, warn: { level: "privileged", version: "latest" } };

export const show = ({ level, version }: LevelVersion): string => `${level}:${version}`;
export const rank = (level: Level): number => levels.indexOf(level);
export const isFullyPrivileged = ({ enforce, audit, warn }: Policy): boolean => [enforce, audit, warn].every(({ level }) => level === "privileged");

const prefix = "pod-security.kubernetes.io/";

/**
 * The policy that a namespace's labels ask for. What can't be read is as strict as can be when enforced, else not asked for.
 * A namespace that enforces a level is warned of it too, unless it says otherwise. Source: k8s.io/pod-security-admission/api PolicyToEvaluate.
 */
export function policyOf(labels: Readonly<Record<string, string>> = {}, defaults: Policy = privilegedPolicy): { policy: Policy; errors: FieldError[] } {
  const errors: FieldError[] = [];
  const read = (mode: Mode, failing: Level): LevelVersion => {
    const level = labels[prefix + mode], version = labels[`${prefix + mode}-version`];
    if (level !== undefined && !isLevel(level)) errors.push(wrong(mode, level, `must be one of ${levels.join(", ")}`));
    if (version !== undefined && !isVersion(version)) errors.push(wrong(`${mode}-version`, version, 'must be "latest" or "v1.x"'));
    return {
      level: level === undefined ? defaults[mode].level : isLevel(level) ? level : failing,
      version: version === undefined ? defaults[mode].version : isVersion(version) ? version : "latest",
    };
  };
  const enforce = read("enforce", "restricted"), audit = read("audit", "privileged");
  let warn = read("warn", "privileged");
  const follows = labels[`${prefix}warn`] === undefined && isLevel(labels[`${prefix}enforce`]) && rank(enforce.level) > rank(warn.level);
  if (follows) warn = { level: enforce.level, version: labels[`${prefix}warn-version`] === undefined ? enforce.version : warn.version };
  return { policy: { enforce, audit, warn }, errors };
}

export const isLevel = (text: unknown): text is Level => levels.includes(text as Level);
export const isVersion = (text: unknown): text is string => text === "latest" || typeof text === "string" && /^v1\.(0|[1-9]\d*)$/.test(text);
const wrong = (label: string, value: string, detail: string): FieldError => invalidValue(`metadata.labels[${prefix}${label}]`, value, detail);

/** What a pod does that its level does not let it, in the order of Kubernetes' messages. */
export function violations(level: LevelVersion, pod: PodView): Violation[] {
  if (level.level === "privileged") return [];
  return checksOf(level).flatMap((check) => check(pod) ?? []);
}

/** `reason (detail), reason (detail)`. */
export const describe = (found: readonly Violation[]): string => found.map(({ reason, detail }) => (detail ? `${reason} (${detail})` : reason)).join(", ");

function checksOf({ level, version }: LevelVersion): CheckPod[] {
  const minor = version === "latest" ? Infinity : Number(version.slice("v1.".length));
  const strict = level === "restricted" ? restricted : [];
  const overridden = new Set(strict.filter((check) => inVersion(check, minor)).map(({ overrides }) => overrides));
  return [...baseline.filter(({ id }) => !overridden.has(id)), ...strict].flatMap((check) => inVersion(check, minor) ?? []);
}

const inVersion = ({ versions }: Check, minor: number): CheckPod | undefined => versions.findLast(({ since }) => since <= minor)?.check;
