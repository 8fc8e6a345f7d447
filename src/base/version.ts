/** Set by `bun build --define`; absent when run from source. */
declare const SKIFF_BUILD: { version: string; commit: string; builtAt: number } | undefined;

const build = typeof SKIFF_BUILD === "undefined" ? { version: "0.1.0-dev", commit: "", builtAt: Date.UTC(2026, 10, 1) } : SKIFF_BUILD;

/** Skiff's own version. */
export const skiffVersion = build.version;
/** The Kubernetes release whose API is served; clients compare minor versions. */
export const kubernetesVersion = { major: "1", minor: "36", patch: "4" } as const;
export const gitVersion = `v${kubernetesVersion.major}.${kubernetesVersion.minor}.${kubernetesVersion.patch}+skiff.${skiffVersion}`;
export const gitCommit = build.commit;
/** When this binary was built, in milliseconds since the epoch: no honest clock shows less. */
export const builtAt = build.builtAt;
