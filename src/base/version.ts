/** Set by `bun build --define`; absent when run from source. */
declare const SKIFF_BUILD: { version: string; commit: string; builtAt: number } | undefined;

const build = typeof SKIFF_BUILD === "undefined" ? { version: "0.1.0-dev", commit: "", builtAt: Date.UTC(2026, 10, 1) } : SKIFF_BUILD;

/** Skiff's own version. */
export const skiffVersion = build.version;
export const gitCommit = build.commit;
/** When this binary was built, in milliseconds since the epoch: no honest clock shows less. */
export const builtAt = build.builtAt;
/** The Kubernetes API that is served. */
export const kubernetesVersion = "1.36.4";
/** As clients and nodes show it: Skiff's version follows that of Kubernetes. */
export const gitVersion = `v${kubernetesVersion}+skiff${skiffVersion}`;
