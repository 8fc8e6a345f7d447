import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import type { LogMode, LogOptions } from "../apiserver/audit/log-backend.ts";
import type { WebhookTarget } from "../apiserver/audit/webhook-backend.ts";
import { checkPolicy, type AuditPolicy } from "../apiserver/audit/policy.ts";
import type { Setting, SettingValues } from "./options.ts";
import { readKubeconfig } from "./read-kubeconfig.ts";
import { UsageError } from "./settings.ts";

/** What is recorded of requests, and where. Names and meanings are kube-apiserver's. */
export const auditSettings = [
  { name: "audit-policy-file", type: "string", placeholder: "file", group: "Audit", description: "Policy (audit.k8s.io/v1) that says what is recorded; without it nothing is" },
  { name: "audit-log-path", type: "string", placeholder: "file", group: "Audit", description: 'Write events there, a line of JSON each; "-" for standard output' },
  { name: "audit-log-mode", type: "string", default: "blocking", placeholder: "batch|blocking|blocking-strict", group: "Audit", description: "Write events before their requests go on, refuse those whose event can't be written (blocking-strict), or write them together (batch)" },
  { name: "audit-log-maxsize", type: "number", default: 100, placeholder: "megabytes", group: "Audit", description: "Begin a new file at this size" },
  { name: "audit-log-maxbackup", type: "number", default: 0, placeholder: "files", group: "Audit", description: "Keep so many old files; 0 keeps all" },
  { name: "audit-log-maxage", type: "number", default: 0, placeholder: "days", group: "Audit", description: "Keep old files so long; 0 keeps them for ever" },
  { name: "audit-webhook-config-file", type: "string", placeholder: "file", group: "Audit", description: "Post events to the server that this kubeconfig names" },
] as const satisfies readonly Setting[];

export interface AuditOptions {
  policy: AuditPolicy;
  log?: Omit<LogOptions, "now">;
  webhook?: WebhookTarget;
}

const day = 24 * 60 * 60 * 1000;

/** Undefined when nothing is to be recorded. Throws a `UsageError`. */
export function parseAuditOptions(values: SettingValues): AuditOptions | undefined {
  const optional = (name: string): string | undefined => (values[name] === undefined || values[name] === "" ? undefined : String(values[name]));
  const atLeast = (name: string, least: number): number => {
    const number = Number(values[name] ?? least);
    if (number < least) throw new UsageError(`--${name} must be at least ${least}, not ${number}`);
    return number;
  };
  const policyFile = optional("audit-policy-file"), path = optional("audit-log-path"), webhookFile = optional("audit-webhook-config-file");
  if (!policyFile) {
    if (path || webhookFile) throw new UsageError("audit events need a policy: name one with --audit-policy-file");
    return undefined;
  }
  return {
    policy: readPolicy(policyFile),
    ...(path ? { log: { path, mode: modeOf(optional("audit-log-mode")), maxSizeBytes: atLeast("audit-log-maxsize", 1) << 20, maxBackups: atLeast("audit-log-maxbackup", 0), maxAgeMs: atLeast("audit-log-maxage", 0) * day } } : {}),
    ...(webhookFile ? { webhook: readKubeconfig(webhookFile, "--audit-webhook-config-file") } : {}),
  };
}

const modes: readonly LogMode[] = ["batch", "blocking", "blocking-strict"];

function modeOf(text = "blocking"): LogMode {
  const mode = modes.find((each) => each === text);
  if (!mode) throw new UsageError(`--audit-log-mode must be one of ${modes.join(", ")}, not ${JSON.stringify(text)}`);
  return mode;
}

function readPolicy(file: string): AuditPolicy {
  try {
    return checkPolicy(load(readFileSync(file, "utf8")));
  } catch (error) {
    throw new UsageError(`the audit policy ${file} can't be used: ${(error as Error).message.split("\n")[0]}`, { cause: error });
  }
}
