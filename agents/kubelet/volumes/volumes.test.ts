import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Volume as VolumeSpec } from "../../../src/apis/generated/core/v1.ts";
import type { Pod } from "../pod/pod.ts";
import { MountError, VolumePending } from "./mount-error.ts";
import type { MountedVolume, VolumeSources } from "./volume.ts";
import { Volumes } from "./volumes.ts";

let root: string, now: number;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "skiff-volumes-"));
  now = 0;
});
afterEach(() => rmSync(root, { recursive: true }));

const podWith = (...volumes: VolumeSpec[]): Pod => ({ metadata: { name: "p", namespace: "ns", uid: "u" }, spec: { containers: [], volumes } }) as Pod;
const volumesWith = (setUp: () => Promise<MountedVolume>): Volumes => new Volumes(root, {
  now: () => now, monotonic: () => now, forget: () => undefined, csi: { setUp, tearDown: () => Promise.resolve() }, configMap: () => Promise.resolve(undefined),
} as unknown as VolumeSources);
const thrown = (volumes: Volumes, pod: Pod): Promise<Error> => volumes.setUp(pod).then(() => Promise.reject(new Error("nothing was thrown")), (error: Error) => error);

test("a volume that waits for others is told of after two minutes, as often as it waits so long again", async () => {
  const volumes = volumesWith(() => Promise.reject(new VolumePending("not attached")));
  const pod = podWith({ name: "a", csi: { driver: "d" } }, { name: "b", emptyDir: {} }, { name: "c", csi: { driver: "d" } });
  for (let round = 0; round < 2; round++) {
    expect(await thrown(volumes, pod)).toMatchObject({ name: "VolumePending", patienceMs: 123_000 });
    now += 100_000;
    expect(await thrown(volumes, pod)).toMatchObject({ name: "VolumePending", patienceMs: 23_000 });
    now += 23_000;
    expect(await thrown(volumes, pod)).toEqual(new MountError("Unable to attach or mount volumes: unmounted volumes=[a c], unattached volumes=[a c], failed to process volumes=[]: context deadline exceeded"));
  }
});

test("what can be set up is, and the Event is about what can't", async () => {
  const volumes = volumesWith(() => Promise.reject(new VolumePending("not attached")));
  const error = await thrown(volumes, podWith({ name: "a", csi: { driver: "d" } }, { name: "gone", configMap: { name: "gone" } }, { name: "b", emptyDir: {} }));
  expect(error).toMatchObject({ name: "MountError", reason: "FailedMount", message: 'MountVolume.SetUp failed for volume "gone" : configmap "gone" not found' });
  expect(existsSync(join(root, "pods/u/volumes/kubernetes.io~empty-dir/b"))).toBe(true);
  expect([...volumes.mountedBy("u").keys()]).toEqual(["b"]);
});

test("a volume of a driver is set up once, anew when that wears out, and kept when that fails", async () => {
  const answers: (MountedVolume | Error)[] = [{ path: "/1", refreshAt: 1000 }, new Error("the driver is away"), { path: "/2", provisional: true }, { path: "/3" }];
  let calls = 0;
  const volumes = volumesWith(() => {
    const answer = answers[calls++]!;
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  });
  const pod = podWith({ name: "a", csi: { driver: "d" } });
  const look = async (at: number): Promise<[path: string | undefined, refreshAt: number | undefined, calls: number]> => {
    now = at;
    const { mounted, refreshAt } = await volumes.setUp(pod);
    return [mounted.get("a")?.path, refreshAt, calls];
  };
  expect(await look(0)).toEqual(["/1", 1000, 1]);
  expect(await look(999)).toEqual(["/1", 1000, 1]);
  expect(await look(1000)).toEqual(["/1", 61_000, 2]);
  expect(await look(61_000)).toEqual(["/2", undefined, 3]);
  expect(await look(61_001)).toEqual(["/3", undefined, 4]);
  expect(await look(1e9)).toEqual(["/3", undefined, 4]);
});

test("a volume of a driver is set up anew when what it stands for has changed, and again a while after that failed", async () => {
  let isStale = false, calls = 0;
  const answers: (MountedVolume | Error)[] = [{ path: "/1", isStale: () => isStale }, new Error("the driver is away"), { path: "/2" }];
  const volumes = volumesWith(() => {
    const answer = answers[calls++]!;
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  });
  const pod = podWith({ name: "a", csi: { driver: "d" } });
  const look = async (at: number): Promise<[path: string | undefined, calls: number]> => {
    now = at;
    return [(await volumes.setUp(pod)).mounted.get("a")?.path, calls];
  };
  expect([await look(0), await look(1e6)]).toEqual([["/1", 1], ["/1", 1]]);
  isStale = true;
  expect([await look(2e6), await look(2e6 + 1), await look(2e6 + 60_000)]).toEqual([["/1", 2], ["/1", 2], ["/2", 3]]);
});
