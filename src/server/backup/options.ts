import { join } from "node:path";
import { parseSchedule, type Schedule } from "../../apis/batch/cron-schedule.ts";
import { absolute } from "../option-values.ts";
import type { Setting, SettingValues } from "../options.ts";
import { UsageError } from "../settings.ts";
import type { S3Options } from "./s3-store.ts";

/** When and where backups are taken. As K3s has them for snapshots of etcd, here for every datastore. */
export const backupSettings = [
  { name: "backup-schedule", type: "string", placeholder: "cron", group: "Backup", description: 'When to take backups, in this machine\'s time zone, such as "0 3 * * *" or @daily; one that was missed is taken after the next start' },
  { name: "backup-retention", type: "number", default: 5, placeholder: "number", group: "Backup", description: "Keep so many of the backups taken by schedule" },
  { name: "backup-dir", type: "string", defaultText: "<data-dir>/backups, or none with a bucket", placeholder: "directory", group: "Backup", description: "Keep backups here, best on another disk" },
  { name: "backup-passphrase-file", type: "string", placeholder: "file", group: "Backup", description: "Encrypt backups with the passphrase in this file; they hold all of the cluster's keys" },
  { name: "backup-s3-bucket", type: "string", placeholder: "bucket", group: "Backup", description: "Keep backups in this bucket of an S3-compatible storage" },
  { name: "backup-s3-endpoint", type: "string", defaultText: "Amazon's", placeholder: "host", group: "Backup", description: "Where the storage is, such as minio.example.com:9000" },
  { name: "backup-s3-region", type: "string", default: "us-east-1", placeholder: "region", group: "Backup", description: "Region of the bucket" },
  { name: "backup-s3-folder", type: "string", placeholder: "path", group: "Backup", description: "Folder in the bucket" },
  { name: "backup-s3-access-key", type: "string", defaultText: "AWS_ACCESS_KEY_ID", placeholder: "key", group: "Backup", description: "Access key of the storage" },
  { name: "backup-s3-secret-key", type: "string", defaultText: "AWS_SECRET_ACCESS_KEY", placeholder: "secret", group: "Backup", description: "Secret key of the storage; everybody on this machine can read it in a command line, so better put it into the configuration file" },
  { name: "backup-s3-insecure", type: "boolean", default: false, group: "Backup", description: "Speak plain HTTP to the storage" },
  { name: "backup-s3-endpoint-ca", type: "string", placeholder: "file", group: "Backup", description: "Certificate of the CA that the storage's certificate is from, where that is a CA of your own" },
] as const satisfies readonly Setting[];

export interface BackupOptions {
  schedule?: Schedule;
  retention: number;
  /** None when all backups go into a bucket. */
  directory?: string;
  passphraseFile?: string;
  /** Without a bucket for those who name one on the command line. */
  s3: Omit<S3Options, "bucket"> & { bucket?: string; endpointCa?: string };
}

/** Throws a `UsageError`. */
export function parseBackupOptions(values: SettingValues, dataDir: string, environment: Record<string, string | undefined> = process.env): BackupOptions {
  const optional = (name: string): string | undefined => (values[name] === undefined || values[name] === "" ? undefined : String(values[name]));
  const file = (name: string): string | undefined => (optional(name) === undefined ? undefined : absolute(optional(name)!, `--${name}`));
  const schedule = optional("backup-schedule"), retention = Number(values["backup-retention"]), bucket = optional("backup-s3-bucket");
  if (!(retention >= 1)) throw new UsageError(`--backup-retention must be at least 1, not ${retention}`);
  const directory = file("backup-dir") ?? (bucket ? undefined : join(dataDir, "backups")), passphraseFile = file("backup-passphrase-file"), endpointCa = file("backup-s3-endpoint-ca");
  const endpoint = optional("backup-s3-endpoint");
  if (endpoint !== undefined && !/^(https?:\/\/)?[^\s/]+\/?$/.test(endpoint)) throw new UsageError(`--backup-s3-endpoint must be a host with or without a port, such as minio.example.com:9000, not ${JSON.stringify(endpoint)}`);
  if (bucket !== undefined && !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(bucket)) throw new UsageError(`--backup-s3-bucket must be the name of a bucket, not ${JSON.stringify(bucket)}`);
  const accessKey = optional("backup-s3-access-key") ?? environment["AWS_ACCESS_KEY_ID"], secretKey = optional("backup-s3-secret-key") ?? environment["AWS_SECRET_ACCESS_KEY"];
  return {
    ...(schedule ? { schedule: scheduleOf(schedule) } : {}), retention, ...(directory ? { directory } : {}), ...(passphraseFile ? { passphraseFile } : {}),
    s3: {
      ...(bucket ? { bucket } : {}), ...(endpoint ? { endpoint: endpoint.replace(/\/$/, "") } : {}), region: optional("backup-s3-region") ?? "us-east-1", folder: (optional("backup-s3-folder") ?? "").replace(/^\/+|\/+$/g, ""),
      ...(accessKey ? { accessKey } : {}), ...(secretKey ? { secretKey } : {}), insecure: values["backup-s3-insecure"] === true, ...(endpointCa ? { endpointCa } : {}),
    },
  };
}

function scheduleOf(text: string): Schedule {
  try {
    return parseSchedule(text);
  } catch (error) {
    throw new UsageError(`--backup-schedule must be a schedule such as "0 3 * * *" or @daily: ${(error as Error).message}`, { cause: error });
  }
}
