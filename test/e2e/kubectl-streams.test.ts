import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { skiffForThisFile } from "../support/e2e.ts";
import { eventually } from "../support/eventually.ts";
import { output } from "../support/running.ts";
import { pod, shell, webServer } from "../support/workloads.ts";

const skiff = await skiffForThisFile();
const { kubectl } = skiff;

await kubectl.apply(
  pod("web", webServer("echo from the web > /www/index.html; echo started")),
  pod("counter", shell("i=0; while true; do i=$((i+1)); echo line $i; sleep 0.1; done")),
  pod("echo", shell("while read -r line; do echo \"heard $line\"; done", { stdin: true })),
);
await kubectl("wait", "--for=condition=Ready", "pod/web", "pod/counter", "pod/echo", "--timeout=90s");

describe("logs", () => {
  test("all, the last lines, the last seconds, with times", async () => {
    expect(await kubectl("logs", "web")).toBe("started\n");
    expect(await kubectl("logs", "counter", "--tail=2")).toMatch(/^line \d+\nline \d+\n$/);
    expect(await kubectl("logs", "counter", "--limit-bytes=6")).toBe("line 1");
    const secondAgo = Date.now() - 1000, recent = (await kubectl("logs", "counter", "--since=1s", "--timestamps")).trim();
    for (const line of recent.split("\n").filter(Boolean)) expect(Date.parse(line.split(" ")[0]!)).toBeGreaterThanOrEqual(secondAgo);
    expect(await kubectl("logs", "counter", "--timestamps", "--tail=1")).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z line \d+\n$/);
    expect(await kubectl("logs", "-l", "app=web", "--prefix")).toBe("[pod/web/main] started\n");
  });

  test("-f goes on as lines come", async () => {
    const following = kubectl.start(["logs", "-f", "counter", "--tail=1"]);
    const [, first] = await following.until(/line (\d+)/);
    await following.until(new RegExp(`line ${Number(first) + 5}\n`));
    await following.stop();
  });

  test("-f ends with the container; --previous shows the one before", async () => {
    // Ends once, when it is told to.
    await kubectl.apply(pod("brief", shell("if [ -e /data/end ]; then echo run 1; exec sleep 1000; fi; echo run 0; until [ -e /data/end ]; do sleep 0.1; done; exit 1", { volumeMounts: [{ name: "data", mountPath: "/data" }] }), { volumes: [{ name: "data", emptyDir: {} }] }));
    await kubectl.untilPod("brief", ({ containerStatuses }) => expect(containerStatuses[0].state).toHaveProperty("running"));
    const following = kubectl.start(["logs", "-f", "brief"]);
    await following.until(/run 0\n/);
    await kubectl("exec", "brief", "--", "touch", "/data/end");
    expect([await following.exited, following.text()]).toEqual([0, "run 0\n"]);
    await kubectl.untilPod("brief", ({ containerStatuses }) => expect(containerStatuses[0]).toMatchObject({ restartCount: 1, state: { running: {} } }));
    await eventually(async () => expect(await kubectl("logs", "brief")).toBe("run 1\n"), { interval: 100 });
    expect(await kubectl("logs", "brief", "--previous")).toBe("run 0\n");
    await kubectl("delete", "pod", "brief", "--wait=false");
  });
});

for (const [protocol, env] of [["WebSocket", {}], ["SPDY", { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: "false", KUBECTL_PORT_FORWARD_WEBSOCKETS: "false" }]] as const) {
  describe(`over ${protocol}`, () => {
    test("exec: both streams, the exit code, input to its end", async () => {
      expect(await kubectl.outcome(["exec", "web", "--", "sh", "-c", "echo out; echo err >&2; exit 7"], { env })).toMatchObject({ stdout: "out\n", stderr: expect.stringMatching(/^err\ncommand terminated with exit code 7\n$/), exitCode: 7 });
      expect(await kubectl.with({ env, input: "some\ninput\n" })("exec", "-i", "web", "--", "wc", "-l")).toBe("2\n");
      const missing = await kubectl.outcome(["exec", "web", "--", "no-such-program"], { env });
      expect(missing.exitCode).not.toBe(0);
      expect(missing.stderr).toContain("no-such-program");
    });

    test("exec carries megabytes both ways unchanged", async () => {
      const sent = randomBytes(5_000_000).toString("base64");
      const received = await kubectl.with({ env, input: sent })("exec", "-i", "web", "--", "cat");
      expect(createHash("sha256").update(received).digest("hex")).toBe(createHash("sha256").update(sent).digest("hex"));
    });

    test("exec -t gives a terminal of the client's size", async () => {
      // The size is told once the command runs.
      const told = 'i=0; until [ "$(stty size)" = "33 99" ] || [ $i = 100 ]; do sleep 0.1; i=$((i+1)); done; stty size; tty';
      const command = skiff.network.inside(["script", "-qec", `stty rows 33 cols 99; kubectl exec -it web -- sh -c '${told}'`, "/dev/null"]);
      expect(await output(command, { env: { KUBECONFIG: skiff.kubeconfig, HOME: skiff.directory, ...env } })).toMatch(/33 99\r\n\/dev\/pts\/\d/);
    });

    test("attach hears the container and speaks to it", async () => {
      const attached = kubectl.start(["attach", "-i", "echo"], { env });
      // What is answered before its ears are open is not heard.
      await eventually(async () => {
        attached.write(`hello by ${protocol}\n`);
        await attached.until(new RegExp(`heard hello by ${protocol}\n`), 10_000);
      });
      await attached.stop();
    });

    test("cp there and back", async () => {
      const original = join(skiff.directory, `original-${protocol}`), copy = join(skiff.directory, `copy-${protocol}`);
      writeFileSync(original, randomBytes(300_000));
      await kubectl.with({ env })("cp", original, `web:/tmp/copied-${protocol}`);
      await kubectl.with({ env })("cp", `web:/tmp/copied-${protocol}`, copy);
      expect(readFileSync(copy).equals(readFileSync(original))).toBe(true);
    });

    test("port-forward, to many connections and for a port where nobody listens", async () => {
      const forwarding = kubectl.start(["port-forward", "pod/web", ":80", ":81"], { env });
      const [, port] = await forwarding.until(/127\.0\.0\.1:(\d+) -> 80/);
      const [, deaf] = await forwarding.until(/127\.0\.0\.1:(\d+) -> 81/);
      const fetched = await Promise.all(Array.from({ length: 8 }, () => output(skiff.network.inside(["curl", "-sS", "--max-time", "40", `http://127.0.0.1:${port}/`]))));
      expect(fetched).toEqual(Array(8).fill("from the web\n"));
      await expect(output(skiff.network.inside(["curl", "-sS", "--max-time", "20", `http://127.0.0.1:${deaf}/`]))).rejects.toThrow();
      await forwarding.stop();
    });
  });
}

test("exec in a pod that is not there, and in a container that is not, fails in words", async () => {
  expect((await kubectl.outcome(["exec", "nobody", "--", "true"])).stderr).toContain('pods "nobody" not found');
  expect((await kubectl.outcome(["exec", "web", "-c", "other", "--", "true"])).stderr).toContain("container other is not valid for pod web");
});
