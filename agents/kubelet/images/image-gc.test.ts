import { beforeEach, expect, test } from "bun:test";
import { logger } from "../../../src/base/log.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import type { Container, Image } from "../../cri/generated/messages.ts";
import type { Pod } from "../pod/pod.ts";
import { defaultImageLimits, ImageCollector, type ImageLimits } from "./image-gc.ts";

let clock: FakeClock, images: Image[], containers: Container[], pods: Pod[], usedBytes: number, events: string[], left: ReadonlySet<string> | undefined;
const capacityBytes = 1000;

beforeEach(() => {
  [clock, images, containers, pods, usedBytes, events, left] = [new FakeClock(), [], [], [], 0, [], undefined];
});

const image = (id: string, size: number, more: Partial<Image> = {}): Image => ({ id, repoTags: [`docker.io/library/${id}:1`], size, ...more });
const collector = (limits: Partial<ImageLimits> = {}): ImageCollector => new ImageCollector({
  clock, log: logger("test"), nodeName: "node", limits: { ...defaultImageLimits, ...limits }, pods: () => pods, pinned: () => new Set(["docker.io/library/imported:1"]), onDeleted: (ids) => (left = ids),
  recorder: { event: (_, __, reason) => void events.push(reason) },
  runtime: {
    runtime: { listContainers: async () => ({ containers }) },
    images: {
      listImages: async () => ({ images }), imageFsInfo: async () => ({ imageFilesystems: [{ fsId: { mountpoint: "/" } }] }),
      removeImage: async ({ image: gone }: { image: { image: string } }) => { if (gone.image === "stuck") throw new Error("in use"); images = images.filter(({ id }) => id !== gone.image); return {}; },
    },
  } as never,
  filesystem: () => ({ capacityBytes, availableBytes: capacityBytes - usedBytes, usedBytes, inodes: 0, inodesFree: 0 }),
});
const ids = (): string[] => images.map(({ id = "" }) => id);
const laterMs = 5 * 60_000;

test("what the first look finds may go at once, when it comes a while after the start", async () => {
  images = [image("a", 100)];
  usedBytes = 900;
  const gc = collector();
  await clock.advance(laterMs);
  await gc.collect();
  expect(ids()).toEqual([]);
});

test("one that can't be deleted keeps no other", async () => {
  images = [image("stuck", 100), image("a", 50)];
  await collector().deleteUnused();
  expect(ids()).toEqual(["stuck"]);
});

test("nothing is deleted while there is room", async () => {
  images = [image("a", 100)];
  usedBytes = 849;
  const gc = collector();
  await gc.collect();
  await clock.advance(laterMs);
  await gc.collect();
  expect(ids()).toEqual(["a"]);
});

test("what was not used for longest goes first, until the low threshold; the young stay", async () => {
  images = [image("used", 60), image("unused", 60), image("other", 60)];
  containers = [{ imageRef: "used" }];
  usedBytes = 860;
  const gc = collector();
  await gc.collect();
  expect(ids()).toEqual(["used", "unused", "other"]);
  expect(events).toEqual(["FreeDiskSpaceFailed"]);
  await clock.advance(laterMs);
  await gc.collect();
  // Sixty bytes are wanted: one will do.
  expect(ids()).toEqual(["used", "other"]);
  containers = [];
  await clock.advance(60_000);
  await gc.collect();
  expect([ids(), [...left!]]).toEqual([["used"], ["used"]]);
  await clock.advance(laterMs);
  await gc.collect();
  expect(ids()).toEqual([]);
});

test("never what is in use, imported, pinned, or named by a pod or by its volume, however full the disk is", async () => {
  images = [image("running", 1), image("imported", 1), image("pinned", 1, { pinned: true }), image("waits", 1), image("files", 1), image("gone", 1)];
  containers = [{ image: { image: "docker.io/library/running:1" } }];
  pods = [{ metadata: {}, spec: { containers: [{ name: "c", image: "waits:1" }], volumes: [{ name: "v", image: { reference: "files:1" } }] } }];
  await collector().deleteUnused();
  expect(ids()).toEqual(["running", "imported", "pinned", "waits", "files"]);
});

test("what has not been used for the maximum age goes with room to spare", async () => {
  images = [image("old", 1), image("used", 1)];
  containers = [{ imageRef: "used" }];
  const gc = collector({ maximumAgeMs: 3_600_000 });
  await gc.collect();
  await clock.advance(3_500_000);
  await gc.collect();
  expect(ids()).toEqual(["old", "used"]);
  await clock.advance(200_000);
  await gc.collect();
  expect(ids()).toEqual(["used"]);
});
