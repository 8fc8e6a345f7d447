import { expect, test } from "bun:test";
import { lstatSync, mkdirSync, mkdtempSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logger } from "../../../src/base/log.ts";
import { linkStandardPlace } from "./standard-place.ts";

test("links lead to this kubelet's folders; what others have there stays", () => {
  const root = mkdtempSync(join(tmpdir(), "skiff-place-"));
  try {
    const place = join(root, "lib/kubelet"), own = join(root, "own");
    mkdirSync(join(place, "pod-resources"), { recursive: true });
    for (let start = 0; start < 2; start++) {
      linkStandardPlace(own, place, logger("test"));
      expect(readlinkSync(join(place, "device-plugins"))).toBe(join(own, "device-plugins"));
      expect(lstatSync(join(place, "pod-resources")).isDirectory()).toBeTrue();
    }
  } finally {
    rmSync(root, { recursive: true });
  }
});
