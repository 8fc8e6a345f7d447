import { kubernetesVersion } from "../base/version.ts";

/** `/version`. Major and minor are plain numbers: clients parse them. */
export interface VersionInfo {
  major: string;
  minor: string;
  gitVersion: string;
  gitCommit: string;
  gitTreeState: string;
  buildDate: string;
  goVersion: string;
  compiler: string;
  platform: string;
}

/** `own` is Skiff's version; it follows the Kubernetes version as K3s users know it: `v1.36.0+skiff0.1.0`. */
export function versionInfo({ own, commit = "", buildDate = "1970-01-01T00:00:00Z" }: { own: string; commit?: string; buildDate?: string }): VersionInfo {
  const [major = "", minor = ""] = kubernetesVersion.split(".");
  const arch = process.arch === "x64" ? "amd64" : process.arch;
  return { major, minor, gitVersion: `v${kubernetesVersion}+skiff${own}`, gitCommit: commit, gitTreeState: "clean", buildDate, goVersion: `bun${Bun.version}`, compiler: "bun", platform: `${process.platform}/${arch}` };
}
