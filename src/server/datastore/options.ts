import type { Setting, SettingValues } from "../options.ts";
import type { EncryptionOptions } from "../encryption/config.ts";
import { parseGoDuration } from "../../base/go-duration.ts";
import { UsageError } from "../settings.ts";
import { etcdSettings, parseEtcdOptions, type EtcdOptions } from "./etcd-options.ts";

/** Where the cluster's state is kept, and within which bounds. */
export const datastoreSettings = [
  ...etcdSettings,
  { name: "datastore-max-size", type: "string", default: "2Gi", placeholder: "size", group: "Datastore", description: "The database takes no more of the disk: past it writes are refused, deletes are not" },
  { name: "event-ttl", type: "string", default: "1h", placeholder: "duration", group: "Datastore", description: "How long Events are kept after they were last written" },
  { name: "secrets-encryption", type: "boolean", default: false, group: "Datastore", description: "Encrypt Secrets in the database; \"skiff secrets-encrypt\" tells how that stands, rotates the key and ends it" },
  { name: "secrets-encryption-resources", type: "list", default: ["secrets"], placeholder: "resource", group: "Datastore", description: "What is encrypted, such as secrets, configmaps or widgets.example.com" },
] as const satisfies readonly Setting[];

export interface DatastoreOptions {
  /** Where the state is kept instead of in the database's file. */
  etcd?: EtcdOptions;
  /** Bytes the database's file may grow to. */
  maxBytes: number;
  eventTtlMs: number;
  encryption: EncryptionOptions;
}

/** Throws a `UsageError`. */
export function parseDatastoreOptions(values: SettingValues): DatastoreOptions {
  const etcd = parseEtcdOptions(values);
  return {
    ...(etcd ? { etcd } : {}),
    maxBytes: size(values["datastore-max-size"], "--datastore-max-size"),
    eventTtlMs: duration(values["event-ttl"], "--event-ttl"),
    encryption: { enable: values["secrets-encryption"] === true, resources: resources(values["secrets-encryption-resources"] as string[] | undefined) },
  };
}

function resources(given: readonly string[] = ["secrets"]): string[] {
  const names = [...new Set(given.flatMap((each) => each.split(",")).map((each) => each.trim()))];
  const wrong = names.find((name) => !/^[a-z0-9]+(\.[a-z0-9-]+)*$/.test(name));
  if (wrong !== undefined || names.length === 0) throw new UsageError(`--secrets-encryption-resources must be names such as secrets or widgets.example.com, not ${JSON.stringify(wrong ?? "")}`);
  return names;
}

function duration(value: SettingValues[string], flag: string): number {
  try {
    const ms = parseGoDuration(String(value).trim());
    if (ms > 0) return ms;
  } catch {
    // Go's words are for those who know Go.
  }
  throw new UsageError(`${flag} must be a duration such as 1h or 30m, not ${JSON.stringify(value)}`);
}

/** Less has no room for an empty cluster and the log of its writes. */
const leastBytes = 32 * 1024 * 1024;

const units: Record<string, number> = { "": 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };

function size(value: SettingValues[string], flag: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(k|M|G|T|Ki|Mi|Gi|Ti)?B?$/.exec(String(value).trim()) ?? [];
  if (digits === undefined) throw new UsageError(`${flag} must be a size such as 512Mi or 2Gi, not ${JSON.stringify(value)}`);
  const bytes = Math.floor(Number(digits) * units[unit ?? ""]!);
  if (bytes < leastBytes) throw new UsageError(`${flag} must be at least 32Mi, not ${value}: an empty cluster takes some of that`);
  return bytes;
}
