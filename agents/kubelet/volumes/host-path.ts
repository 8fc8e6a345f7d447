import { closeSync, mkdirSync, openSync, statSync, type Stats } from "node:fs";
import type { VolumePlugin } from "./volume.ts";

/** A path of the node itself; `type` says what must be there, or is made. Source: k8s.io/kubernetes/pkg/volume/hostpath. */
export const hostPath: VolumePlugin = {
  name: "kubernetes.io~host-path",
  supports: (volume) => volume.hostPath !== undefined,
  refreshes: false,
  setUp({ volume }) {
    const { path, type = "" } = volume.hostPath!;
    checkHostPath(path, type);
    return { path };
  },
};

/** Throws when at the path there isn't what `type` says, having made it where `type` allows. */
export function checkHostPath(path: string, type: string): void {
  if (type === "") return;
  let stat = statSync(path, { throwIfNoEntry: false });
  if (!stat && type === "DirectoryOrCreate") {
    mkdirSync(path, { recursive: true, mode: 0o755 });
    stat = statSync(path);
  } else if (!stat && type === "FileOrCreate") {
    closeSync(openSync(path, "a", 0o644));
    stat = statSync(path);
  }
  const [matches, noun] = expectations[type] ?? [() => false, type];
  if (!stat || !matches(stat)) throw new Error(`hostPath type check failed: ${path} is not ${noun}`);
}

const expectations: Record<string, [(stat: Stats) => boolean, string]> = {
  DirectoryOrCreate: [(stat) => stat.isDirectory(), "a directory"],
  Directory: [(stat) => stat.isDirectory(), "a directory"],
  FileOrCreate: [(stat) => stat.isFile(), "a file"],
  File: [(stat) => stat.isFile(), "a file"],
  Socket: [(stat) => stat.isSocket(), "a socket file"],
  CharDevice: [(stat) => stat.isCharacterDevice(), "a character device"],
  BlockDevice: [(stat) => stat.isBlockDevice(), "a block device"],
};
