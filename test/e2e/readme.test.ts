import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { TestSkiff } from "../support/skiff.ts";
import { output } from "../support/running.ts";

const root = join(import.meta.dir, "../..");

/** The fenced shell blocks of the README, as written. */
const blocks = [...readFileSync(join(root, "README.md"), "utf8").matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((match) => match[1]!);

test("the README's example works as written", async () => {
  const example = blocks.find((block) => block.includes("kubectl apply"))!;
  const maker = /bun (\S+busybox-image\.ts)/.exec(blocks.join("\n"))![1]!;
  const skiff = new TestSkiff();
  try {
    await skiff.start();
    const made = Bun.spawnSync([process.execPath, join(root, maker)]);
    expect(made.stderr.toString()).toBe("");
    await skiff.importImage("localhost/busybox:1", made.stdout);
    const said = await output(skiff.network.inside(["bash", "-euc", example]), { env: { KUBECONFIG: skiff.kubeconfig, HOME: skiff.directory }, timeoutMs: 150_000 });
    expect(said).toContain("deployment.apps/hello created\nservice/hello created\n");
    expect(said).toContain('deployment "hello" successfully rolled out\n');
    // By ClusterIP from the node, and by name from another pod.
    expect(said.match(/^hello from hello-[a-z0-9]+-[a-z0-9]+$/gm)).toHaveLength(2);
  } finally {
    skiff.dispose();
  }
}, 240_000);
