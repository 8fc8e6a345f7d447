import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TestEtcd } from "../../../test/support/etcd.ts";
import { systemClock } from "../../base/clock.ts";
import { findClaim } from "../../storage/etcd/claim.ts";
import { EtcdClient } from "../../storage/etcd/etcd-client.ts";
import { layoutOf } from "../layout.ts";
import type { ServerOptions } from "../options.ts";
import { backupOfStopped } from "./stopped.ts";

const etcd = await TestEtcd.start();
const dataDir = mkdtempSync(join(tmpdir(), "skiff-stopped-")), layout = layoutOf(dataDir);
afterAll(async () => {
  await etcd[Symbol.asyncDispose]();
  rmSync(dataDir, { recursive: true });
});

const datastore = { maxBytes: 2 ** 30, eventTtlMs: 1000, encryption: { enable: false, resources: [] } };
const backup = (more: object = {}): Promise<unknown> => backupOfStopped({ dataDir, configFile: join(dataDir, "config.yaml"), nodeName: "node-1", datastore: { ...datastore, ...more } } as Partial<ServerOptions> as ServerOptions, layout);

test("where there is no cluster, none is backed up, and none made", async () => {
  await expect(backup()).rejects.toThrow(`there is no cluster in ${dataDir}`);
  expect(existsSync(layout.databaseFile)).toBe(false);
  await expect(backup({ etcd: { endpoints: etcd.clientOptions.endpoints } })).rejects.toThrow("that etcd is empty");
  const client = new EtcdClient({ ...etcd.clientOptions, clock: systemClock });
  expect((await findClaim(client)).claim).toBeUndefined();
  client.close();
});

test("what is in etcd beside the server can't be had without it", async () => {
  mkdirSync(join(dataDir, "server/db/etcd/member"), { recursive: true });
  await expect(backup()).rejects.toThrow("start the server first");
});
