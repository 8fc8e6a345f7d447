import { expect, test } from "bun:test";
import { namedInK3s } from "./k3s-names.ts";
import { serverSettings } from "./options.ts";

const namesHere = new Set<string>(serverSettings.map(({ name }) => name));
const hereOf = (name: string): string | undefined => / is (\S+) here$/.exec(namedInK3s(name) ?? "")?.[1];

test("what K3s calls otherwise is a setting here, and no name of ours is taken for K3s'", () => {
  for (const name of ["etcd-snapshot-schedule-cron", "etcd-snapshot-retention", "etcd-snapshot-dir", "etcd-s3", "etcd-s3-bucket", "etcd-s3-endpoint", "etcd-s3-endpoint-ca", "etcd-s3-region", "etcd-s3-folder", "etcd-s3-access-key", "etcd-s3-secret-key", "etcd-s3-insecure", "etcd-s3-skip-ssl-verify", "flannel-backend"]) {
    expect([name, namesHere.has(hereOf(name) ?? "")]).toEqual([name, true]);
  }
  for (const name of [...namesHere, "toString", ""]) expect(namedInK3s(name)).toBeUndefined();
});
