import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeVolumeDirectory, releaseVolumes } from "../../agents/kubelet/volumes/local-path.ts";
import { builtins, nodes, persistentvolumeclaims, persistentvolumes, pods, serviceaccounts } from "../../src/apis/builtins.ts";
import type { PersistentVolume, PersistentVolumeClaim, Pod } from "../../src/apis/generated/core/v1.ts";
import { systemClock } from "../../src/base/clock.ts";
import { logger } from "../../src/base/log.ts";
import type { Client } from "../../src/client/client.ts";
import { fixedKinds } from "../../src/client/controller.ts";
import { startControllers } from "../../src/client/run-controllers.ts";
import { controllers } from "../../src/controllers/index.ts";
import { ensureLocalPathStorageClass } from "../../src/registry/bootstrap/storage-class.ts";
import { startRegistry, type RegistryFixture } from "../../src/registry/testing/fixture.ts";
import { createScheduler } from "../../src/scheduler/scheduler.ts";
import { eventually } from "../support/eventually.ts";

setDefaultTimeout(600_000);

const namespace = "default";
const merge = "application/merge-patch+json" as const;
const concerned = /^(persistent-volume-binder|pvc?-protection-controller|local-path-provisioner)$/;
const recorder = { event: () => undefined };

/** Writes until its budget is spent; then nothing goes through any more, as after kill -9. */
function mortal(client: Client, budget: number, onDeath: () => void): { client: Client; writes(): number } {
  let writes = 0;
  const guard = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => async (...args: A): Promise<R> => {
    if (writes >= budget) {
      onDeath();
      throw new Error("killed");
    }
    writes++;
    return call(...args);
  };
  return {
    writes: () => writes,
    client: { ...client, create: guard(client.create) as Client["create"], update: guard(client.update) as Client["update"], patch: guard(client.patch) as Client["patch"], delete: guard(client.delete) as Client["delete"], createSubresource: guard(client.createSubresource) as Client["createSubresource"] },
  };
}

/** All that has a part in a volume's life, in one process that ends after so many writes; another takes its place then. */
function cluster({ client, informers }: RegistryFixture, budget: number, storageDirectory: string): { writes(): number; died(): boolean; end(): Promise<void> } {
  const log = logger("test");
  let running: Promise<unknown> = Promise.resolve(), stop = new AbortController(), deaths = 0;
  const begin = (limit: number): (() => number) => {
    const life = mortal(client, limit, () => {
      if (deaths++ > 0) return;
      stop.abort();
      running = running.then(() => void begin(Infinity));
    });
    stop = new AbortController();
    const own = informers.informer(nodes, { fieldSelector: "metadata.name=a" });
    const list = controllers({ kinds: fixedKinds(builtins), ca: "", clusterCidr: "10.42.0.0/16", storageDirectory }).filter(({ name }) => concerned.test(name));
    running = Promise.all([
      startControllers(list, { informers, clock: systemClock, clientFor: () => life.client, recorderFor: () => recorder }, stop.signal),
      createScheduler({ client: life.client, informers, recorderFor: () => recorder, clock: systemClock, log }).run(stop.signal),
      releaseVolumes({ own, client: life.client, clock: systemClock, log, nodeName: "a", storageDirectory }, stop.signal),
    ]);
    return life.writes;
  };
  const writes = begin(budget);
  return {
    writes,
    died: () => deaths > 0,
    async end() {
      deaths++;
      stop.abort();
      await running;
    },
  };
}

/** A volume from its claim to the end of its directory. Returns how many writes the first process made, and whether it was killed. */
async function life(budget: number): Promise<{ writes: number; died: boolean }> {
  const storageDirectory = join(mkdtempSync(join(tmpdir(), "skiff-crash-")), "storage");
  await using fixture = await startRegistry();
  const { client, informers } = fixture;
  await client.create(serviceaccounts, { metadata: { name: "default", namespace } });
  await ensureLocalPathStorageClass(client);
  await client.create(nodes, { metadata: { name: "a", labels: { "kubernetes.io/hostname": "a" } }, spec: {} });
  await client.patch(nodes, { name: "a" }, { type: merge, body: { status: { allocatable: { cpu: "4", memory: "8Gi", pods: "10" } } } }, { subresource: "status" });
  await client.patch(nodes, { name: "a" }, { type: merge, body: { spec: { taints: [] } } });
  const machine = cluster(fixture, budget, storageDirectory);
  try {
    await client.create(persistentvolumeclaims, { metadata: { name: "data", namespace }, spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } });
    await client.create(pods, { metadata: { name: "p", namespace }, spec: { containers: [{ name: "c", image: "i" }], volumes: [{ name: "d", persistentVolumeClaim: { claimName: "data" } }] } });
    const volumes = (): readonly PersistentVolume[] => informers.informer(persistentvolumes).lister.list() as PersistentVolume[];
    await eventually(() => expect((informers.informer(pods).lister.get(`${namespace}/p`) as Pod).spec.nodeName).toBe("a"));
    const claim = informers.informer(persistentvolumeclaims).lister.get(`${namespace}/data`) as PersistentVolumeClaim;
    await eventually(() => expect(volumes().map(({ metadata, spec, status }) => [metadata.name, spec!.claimRef!.uid, status!.phase])).toEqual([[`pvc-${claim.metadata.uid}`, claim.metadata.uid, "Bound"]]));
    expect(claim).toMatchObject({ spec: { volumeName: `pvc-${claim.metadata.uid}` }, metadata: { annotations: { "pv.kubernetes.io/bind-completed": "yes" } } });
    const directory = makeVolumeDirectory(storageDirectory, volumes()[0]!);

    await client.delete(pods, { namespace, name: "p" }, { gracePeriodSeconds: 0 });
    await client.delete(persistentvolumeclaims, { namespace, name: "data" });
    await eventually(() => expect([volumes(), informers.informer(persistentvolumeclaims).lister.list(), existsSync(directory)]).toEqual([[], [], false]));
    await eventually(() => expect(Object.keys(informers.informer(nodes).lister.get("a")!.metadata.annotations ?? {})).toEqual([]));
    expect(readdirSync(storageDirectory)).toEqual([]);
    return { writes: machine.writes(), died: machine.died() };
  } finally {
    await machine.end();
    rmSync(join(storageDirectory, ".."), { recursive: true });
  }
}

test("a volume is made, bound and deleted once, after whichever write the process is killed", async () => {
  const { writes, died } = await life(Infinity);
  expect([writes > 12, died]).toEqual([true, false]);
  let killed = 0;
  for (let budget = 0; budget < writes; budget++) {
    try {
      if ((await life(budget)).died) killed++;
    } catch (error) {
      throw new Error(`killed after ${budget} of ${writes} writes: ${(error as Error).message}`, { cause: error });
    }
  }
  // How many writes it takes differs a little with what meets whom.
  expect(killed).toBeGreaterThan(writes - 4);
});
