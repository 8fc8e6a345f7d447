import { startWithBusybox } from "../support/skiff.ts";
import type { Measure } from "./measure.ts";
import { figuresOf } from "./process-figures.ts";

/** What a server with a node and no pods does in a minute in which nobody asks for anything. */
export const measureIdle: Measure = async ({ network, quick }) => {
  const skiff = await startWithBusybox({ network });
  const seconds = quick ? 10 : 60;
  const look = (): ReturnType<typeof figuresOf>[] => [figuresOf(skiff.pid), figuresOf(skiff.containerdPid())];
  try {
    await Bun.sleep(quick ? 3000 : 20_000);
    const before = look();
    await Bun.sleep(seconds * 1000);
    const after = look();
    const rows = ["server process", "containerd"].flatMap((name, i) => [
      { what: `CPU in an idle minute, ${name}`, values: [(after[i]!.cpuSeconds - before[i]!.cpuSeconds) * 60 / seconds], unit: "s", note: `over ${seconds} s` },
      { what: `written to disk in an idle minute, ${name}`, values: [(after[i]!.writtenBytes - before[i]!.writtenBytes) * 60 / seconds / 1000], unit: "kB", note: `over ${seconds} s` },
    ]);
    return rows;
  } finally {
    skiff.dispose();
  }
};
