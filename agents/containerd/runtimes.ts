/** A way to run containers, by the name that RuntimeClasses call their handler. */
export interface RuntimeHandler {
  name: string;
  /** containerd's shim. */
  type: string;
  /** The OCI runtime that the shim of runc runs in place of runc. */
  binary?: string;
}

/** What is configured where its program is installed; as K3s finds them: https://docs.k3s.io/advanced#alternative-container-runtime-support. */
const known: readonly { program: string; handler: RuntimeHandler }[] = [
  ...["runc", "crun", "youki"].map((name) => ({ program: name, handler: { name, type: "io.containerd.runc.v2", binary: name } })),
  { program: "nvidia-container-runtime", handler: { name: "nvidia", type: "io.containerd.runc.v2", binary: "nvidia-container-runtime" } },
  ...[["kata", "v2"], ["runsc", "v1"], ["spin", "v2"], ["wasmtime", "v1"], ["wasmedge", "v1"], ["wasmer", "v1"], ["slight", "v1"], ["lunatic", "v1"], ["wws", "v1"]].map(([name = "", version]) => ({ program: `containerd-shim-${name}-${version}`, handler: { name, type: `io.containerd.${name}.${version}` } })),
];

/** Those whose programs `which` finds. Without any, runc: its absence is told when a pod wants it. */
export function installedRuntimes(which: (program: string) => string | null = Bun.which): RuntimeHandler[] {
  const found = known.filter(({ program }) => which(program)).map(({ handler }) => handler);
  return found.some(({ binary }) => binary) ? found : [{ name: "runc", type: "io.containerd.runc.v2", binary: "runc" }, ...found];
}
