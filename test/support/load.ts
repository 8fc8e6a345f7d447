// Run as a program of its own, in whatever namespace: `bun load.ts <url> <connections>`. Asks on, each time over a new connection,
// until its input ends, then prints a LoadReport; before that a line for each new body.

export interface LoadReport {
  answered: number;
  /** The bodies in the order in which they came, repetitions left out. */
  bodies: string[];
  failures: string[];
}

if (import.meta.main) {
  const [url = "", connections = "4"] = process.argv.slice(2);
  const report: LoadReport = { answered: 0, bodies: [], failures: [] };
  let over = false;
  const ask = async (): Promise<void> => {
    while (!over) {
      try {
        const response = await fetch(url, { keepalive: false, signal: AbortSignal.timeout(20_000), headers: { connection: "close" } });
        const body = (await response.text()).trim();
        if (!response.ok) throw new Error(`answered ${response.status}`);
        report.answered++;
        if (report.bodies.at(-1) !== body) {
          report.bodies.push(body);
          process.stdout.write(`answered ${body}\n`);
        }
      } catch (error) {
        report.failures.push((error as Error).message);
      }
      await Bun.sleep(2);
    }
  };
  const asking = Array.from({ length: Number(connections) }, ask);
  process.stdout.write("asking\n");
  for await (const _ of process.stdin) continue;
  over = true;
  await Promise.all(asking);
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
