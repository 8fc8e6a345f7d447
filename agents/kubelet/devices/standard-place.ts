import { lstatSync, mkdirSync, readlinkSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "../../../src/base/log.ts";

/** Where ready-made manifests of device plugins and of monitoring agents look for a kubelet. */
export const standardPlace = "/var/lib/kubelet";

const sharedFolders = ["device-plugins", "pod-resources"];

/** Leads from the standard place to this kubelet's folders, so that such manifests work as they are. Where something is already, it stays. */
export function linkStandardPlace(rootDir: string, place: string, log: Logger): void {
  for (const name of sharedFolders) {
    const link = join(place, name), target = join(rootDir, name);
    try {
      const there = lstatSync(link, { throwIfNoEntry: false });
      if (!there) {
        mkdirSync(place, { recursive: true, mode: 0o755 });
        symlinkSync(target, link);
      } else if (!there.isSymbolicLink() || readlinkSync(link) !== target) {
        log.warn("There is another kubelet's folder: what is made to look there will not find this one", { folder: link, own: target });
      }
    } catch (error) {
      log.warn("What is made to look for a kubelet at the standard place will not find this one", { folder: link, own: target, error });
    }
  }
}
