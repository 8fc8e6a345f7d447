/** Settings and commands that K3s calls otherwise, for those who bring its command lines and config.yaml along. Source: https://docs.k3s.io/cli. */
const equivalents: Readonly<Record<string, string>> = {
  "etcd-snapshot": '"skiff backup"',
  "etcd-snapshot-schedule-cron": "backup-schedule",
  "etcd-snapshot-retention": "backup-retention",
  "etcd-snapshot-dir": "backup-dir",
  "etcd-disable-snapshots": "a configuration without backup-schedule",
  "etcd-s3": "backup-s3-bucket",
  ...Object.fromEntries(["bucket", "endpoint", "endpoint-ca", "region", "folder", "access-key", "secret-key", "insecure"].map((name) => [`etcd-s3-${name}`, `backup-s3-${name}`])),
  "etcd-s3-skip-ssl-verify": "backup-s3-endpoint-ca",
  "cluster-reset-restore-path": '"skiff restore"',
  // Stages of a rotation of keys, which is one command here.
  prepare: '"skiff secrets-encrypt rotate-keys"',
  reencrypt: '"skiff secrets-encrypt rotate-keys"',
  "flannel-backend": "pod-network",
};

/** What is meant by a name that Skiff doesn't have, if K3s has it: a phrase for the end of an error. */
export function namedInK3s(name: string): string | undefined {
  return Object.hasOwn(equivalents, name) ? `what K3s calls ${name} is ${equivalents[name]} here` : undefined;
}
