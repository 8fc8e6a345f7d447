// How long the disk takes by itself, measured beside something else: writes a page to a file of its own a hundred times a second and waits until the disk has it. Run as a program, tells the times in ms when its input ends.
import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";

const page = new Uint8Array(4096), pages = 256, restMs = 10;

/** `stop` tells the times in ms. */
export function probeDisk(directory: string): { stop(): Promise<number[]> } {
  const child = Bun.spawn([process.execPath, import.meta.path, directory], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  return {
    async stop() {
      child.stdin.end();
      return JSON.parse(await new Response(child.stdout).text()) as number[];
    },
  };
}

if (import.meta.main) {
  const file = openSync(join(process.argv[2]!, "probe"), "w"), times: number[] = [];
  for (let i = 0; i < pages; i++) writeSync(file, page, 0, page.length, i * page.length);
  fdatasyncSync(file);
  let stopped = false;
  const told = Bun.stdin.text().then(() => (stopped = true));
  for (let i = 0; !stopped; i++) {
    const began = performance.now();
    writeSync(file, page, 0, page.length, (i % pages) * page.length);
    fdatasyncSync(file);
    times.push(performance.now() - began);
    await Bun.sleep(restMs);
  }
  await told;
  closeSync(file);
  process.stdout.write(JSON.stringify(times));
}
