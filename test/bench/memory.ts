import { startWithBusybox } from "../support/skiff.ts";
import { deployment, shell } from "../support/workloads.ts";
import type { Measure } from "./measure.ts";
import { figuresOf } from "./process-figures.ts";

const pods = 50;

/** Resident memory of the server process (control plane and node in one), at rest and with 50 pods. */
export const measureMemory: Measure = async ({ network, quick }) => {
  const skiff = await startWithBusybox({ network });
  const settle = (): Promise<void> => Bun.sleep(quick ? 3000 : 20_000);
  try {
    await settle();
    const idle = figuresOf(skiff.pid);
    await skiff.kubectl.apply(deployment("many", pods, shell("exec sleep 100000")));
    await skiff.kubectl.with({ timeoutMs: 300_000 })("rollout", "status", "deployment/many", "--timeout=280s");
    await settle();
    const full = figuresOf(skiff.pid), containerd = figuresOf(skiff.containerdPid());
    return [
      { what: "RSS of the server process, idle", values: [idle.residentMb], unit: "MB", note: `${idle.anonymousMb.toFixed(0)} MB of it anonymous` },
      { what: `RSS of the server process, ${pods} pods`, values: [full.residentMb], unit: "MB", note: `${full.anonymousMb.toFixed(0)} MB of it anonymous` },
      { what: `RSS of containerd, ${pods} pods`, values: [containerd.residentMb], unit: "MB", note: "without its shims" },
    ];
  } finally {
    skiff.dispose();
  }
};
