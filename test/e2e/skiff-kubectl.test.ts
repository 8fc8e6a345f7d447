import { afterAll, describe, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { skiffForThisFile } from "../support/e2e.ts";
import { eventually } from "../support/eventually.ts";
import { type Outcome, outcomeOf, output, type RunOptions, startProgram } from "../support/running.ts";
import { skiffExecutable } from "../support/skiff.ts";
import { deployment, pod, service, shell, webServer } from "../support/workloads.ts";

// `skiff kubectl` beside the real one, on the same cluster: either may go on where the other was.
const skiff = await skiffForThisFile();
const real = skiff.kubectl;
const directory = mkdtempSync(join(tmpdir(), "skiff-kubectl-"));
afterAll(() => rmSync(directory, { recursive: true }));

const env = { KUBECONFIG: skiff.kubeconfig, HOME: skiff.directory };
const command = (args: readonly string[]): string[] => skiff.network.inside([skiffExecutable(), "kubectl", ...args]);
const ours = (...args: string[]): Promise<string> => output(command(args), { env });
const ourOutcome = (args: readonly string[], options: RunOptions = {}): Promise<Outcome> => outcomeOf(command(args), { ...options, env: { ...env, ...options.env } });
const file = (name: string, ...objects: object[]): string => {
  const path = join(directory, name);
  writeFileSync(path, objects.map((object) => JSON.stringify(object)).join("\n---\n"));
  return path;
};
const started = (...args: string[]) => startProgram(command(args), { env });
const configMap = (data: Record<string, string>, name = "settings"): object => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data });

await real.apply(deployment("web", 2, webServer("echo from the web > /www/index.html; echo started")), service("web"), pod("two", shell("echo one; while read -r line; do echo \"heard $line\"; done", { stdin: true }), {}, { app: "two" }));
await real("wait", "--for=condition=Available", "deployment/web", "--timeout=120s");
await real("wait", "--for=condition=Ready", "pod/two", "--timeout=120s");

describe("get", () => {
  for (const args of [["pods", "-o", "name"], ["deploy,svc", "-o", "wide"], ["nodes", "-o", "jsonpath={.items[*].metadata.name}"], ["deploy", "web", "-o", "custom-columns=NAME:.metadata.name,IMAGE:.spec.template.spec.containers[*].image,NO:.nope"], ["pods", "-l", "app=nobody"], ["svc", "-A", "--show-labels"], ["pods", "--no-headers", "-o", "custom-columns=N:.metadata.name"]]) {
    test(`${args.join(" ")} is what kubectl prints`, async () => {
      // A longer age between the two looks makes another column of it.
      await eventually(async () => expect(withoutAges(await ours("get", ...args))).toBe(withoutAges(await real("get", ...args))));
    });
  }

  test("JSON and YAML: one by name, all as a List", async () => {
    expect(JSON.parse(await ours("get", "deploy", "web", "-o", "json"))).toMatchObject({ kind: "Deployment", apiVersion: "apps/v1" });
    expect(JSON.parse(await ours("get", "deploy", "-o", "json"))).toMatchObject({ kind: "List", items: [{ kind: "Deployment", apiVersion: "apps/v1", metadata: { name: "web" } }] });
    expect(await ours("get", "svc", "web", "-o", "yaml")).toMatch(/^apiVersion: v1\nkind: Service\nmetadata:\n/);
  });

  test("what isn't there", async () => {
    expect(await ourOutcome(["get", "pods", "nobody", "two"])).toMatchObject({ exitCode: 1, stdout: expect.stringMatching(/^NAME +READY.*\ntwo /), stderr: 'Error from server (NotFound): pods "nobody" not found\n' });
    expect(await ourOutcome(["get", "secrets"])).toEqual({ exitCode: 0, stdout: "", stderr: "No resources found in default namespace.\n" });
    expect(await ourOutcome(["get", "things"])).toMatchObject({ exitCode: 1, stderr: 'error: the server doesn\'t have a resource type "things"\n' });
    expect(await ourOutcome(["get", "pods", "nobody", "--ignore-not-found"])).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  });

  test("-w tells changes below the list", async () => {
    const watching = started("get", "configmaps", "-w", "--no-headers");
    await watching.until(/kube-root-ca/);
    await ours("create", "configmap", "seen", "--from-literal=a=b");
    await watching.until(/\nseen +1 /);
    await watching.stop();
  });
});

/** Ages go on between two looks. */
const withoutAges = (text: string): string => text.replace(/ \d+[smh](?:\d+s)?/g, " AGE");

describe("apply", () => {
  test("created, unchanged, configured; kubectl and we go on from each other", async () => {
    const first = file("settings.json", configMap({ a: "1", b: "1" }));
    expect(await ours("apply", "-f", first)).toBe("configmap/settings created\n");
    expect(await real("apply", "-f", first)).toBe("configmap/settings unchanged\n");
    expect(await ours("apply", "-f", first)).toBe("configmap/settings unchanged\n");
    expect(await real("apply", "-f", file("settings.json", configMap({ a: "2", c: "1" })))).toBe("configmap/settings configured\n");
    expect(await ours("apply", "-f", file("settings.json", configMap({ a: "3" })))).toBe("configmap/settings configured\n");
    expect(JSON.parse(await real("get", "configmap", "settings", "-o", "json")).data).toEqual({ a: "3" });
  });

  test("a container's variables by their names; what others changed stays", async () => {
    const container = (env: object[]): object => deployment("merged", 0, shell("sleep 1000", { env } as object));
    await ours("apply", "-f", file("merged.json", container([{ name: "A", value: "1" }, { name: "B", value: "1" }])));
    await real("patch", "deployment", "merged", "-p", '{"spec":{"template":{"spec":{"containers":[{"name":"main","env":[{"name":"THEIRS","value":"1"}]}]}}}}');
    expect(await ours("apply", "-f", file("merged.json", container([{ name: "B", value: "2" }])))).toBe("deployment.apps/merged configured\n");
    const env = JSON.parse(await real("get", "deployment", "merged", "-o", "json")).spec.template.spec.containers[0].env as { name: string; value: string }[];
    expect(env.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toEqual([{ name: "B", value: "2" }, { name: "THEIRS", value: "1" }]);
  });

  test("what the server refuses is told with its place", async () => {
    const wrong = file("wrong.json", { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "Wrong" } });
    expect(await ourOutcome(["apply", "-f", wrong])).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/^The ConfigMap "Wrong" is invalid: metadata\.name: Invalid value: "Wrong"/) });
    const unknown = await ourOutcome(["create", "-f", file("unknown.json", { ...configMap({}, "x"), nope: 1 })]);
    expect(unknown).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(`error when creating "${join(directory, "unknown.json")}"`) });
    expect(await ourOutcome(["apply", "-f", "/nowhere"])).toMatchObject({ exitCode: 1, stderr: 'error: the path "/nowhere" does not exist\n' });
  });

  test("from standard input, dry, and deleted again", async () => {
    const input = `${JSON.stringify(configMap({}, "piped"))}`;
    expect(await ourOutcome(["apply", "-f", "-", "--dry-run=server"], { input })).toMatchObject({ stdout: "configmap/piped created (server dry run)\n" });
    expect(await ourOutcome(["create", "-f", "-"], { input })).toMatchObject({ stdout: "configmap/piped created\n" });
    expect(await ourOutcome(["delete", "-f", "-"], { input })).toMatchObject({ stdout: 'configmap "piped" deleted from default namespace\n' });
    expect(await ourOutcome(["delete", "configmap", "piped"])).toMatchObject({ exitCode: 1, stderr: 'Error from server (NotFound): configmaps "piped" not found\n' });
  });
});

describe("streams", () => {
  test("logs: of a pod, of a deployment, of many with names", async () => {
    expect(await ours("logs", "two")).toBe("one\n");
    expect(await ourOutcome(["logs", "deploy/web"])).toMatchObject({ stdout: "started\n", stderr: expect.stringMatching(/^Found 2 pods, using pod\/web-/) });
    expect(await ours("logs", "-l", "app=web", "--prefix")).toMatch(/^(?:\[pod\/web-\S+\/main\] started\n){2}$/);
    expect(await ourOutcome(["logs", "two", "-c", "nope"])).toMatchObject({ exitCode: 1, stderr: "error: container nope is not valid for pod two out of: main\n" });
  });

  test("exec: both streams, the exit code, megabytes both ways", async () => {
    expect(await ourOutcome(["exec", "deploy/web", "--", "sh", "-c", "echo out; echo err >&2; exit 7"])).toEqual({ stdout: "out\n", stderr: "err\ncommand terminated with exit code 7\n", exitCode: 7 });
    const input = randomBytes(3_000_000).toString("base64");
    const { stdout } = await ourOutcome(["exec", "-i", "two", "--", "cat"], { input });
    expect(createHash("sha256").update(stdout).digest("hex")).toBe(createHash("sha256").update(input).digest("hex"));
    // Also to a reader that takes its time: what is printed is printed before the program ends.
    const slow = await output(["sh", "-c", `${command(["exec", "two", "--", "head", "-c", "3000000", "/dev/zero"]).join(" ")} | (sleep 0.5; wc -c)`], { env });
    expect(slow.trim()).toBe("3000000");
    expect((await ourOutcome(["exec", "nobody", "--", "true"])).stderr).toBe('Error from server (NotFound): pods "nobody" not found\n');
  });

  test("exec -it gives a terminal of this one's size", async () => {
    const line = skiff.network.inside(["script", "-qec", `stty rows 33 cols 99; ${skiffExecutable()} kubectl exec -it two -- sh -c 'n=0; until [ "$(stty size)" = "33 99" ] || [ $n = 100 ]; do n=$((n + 1)); sleep 0.1; done; stty size; tty'`, "/dev/null"]);
    expect(await output(line, { env })).toMatch(/33 99\r\n\/dev\/pts\/\d/);
  });

  test("attach hears the container and speaks to it", async () => {
    const attached = started("attach", "-i", "two");
    attached.write("hello\n");
    await attached.until(/heard hello\n/);
    await attached.stop();
  });

  test("port-forward to a Service, many connections at once", async () => {
    const forwarding = started("port-forward", "svc/web", ":80");
    const [, port] = await forwarding.until(/127\.0\.0\.1:(\d+) -> 80/);
    const fetched = await Promise.all(Array.from({ length: 8 }, () => output(skiff.network.inside(["curl", "-sS", "--max-time", "20", `http://127.0.0.1:${port}/`]))));
    expect(fetched).toEqual(Array(8).fill("from the web\n"));
    await forwarding.stop();
  });
});

describe("day to day", () => {
  test("scale, restart, wait for it, go back", async () => {
    expect(await ours("scale", "deploy/web", "--replicas=1")).toBe("deployment.apps/web scaled\n");
    expect(await ours("rollout", "status", "deploy/web")).toMatch(/deployment "web" successfully rolled out\n$/);
    expect(await ours("rollout", "restart", "deploy", "web")).toBe("deployment.apps/web restarted\n");
    expect(await ours("rollout", "status", "deploy/web", "--timeout=120s")).toMatch(/deployment "web" successfully rolled out\n$/);
    expect(await ours("rollout", "history", "deploy/web")).toBe("deployment.apps/web \nREVISION  CHANGE-CAUSE\n1         <none>\n2         <none>\n\n");
    expect(await ours("rollout", "undo", "deploy/web")).toBe("deployment.apps/web rolled back\n");
    expect(await ours("rollout", "status", "deploy/web", "--timeout=120s")).toMatch(/deployment "web" successfully rolled out\n$/);
    expect(await ours("wait", "--for=condition=available", "deploy/web", "--timeout=120s")).toBe("deployment.apps/web condition met\n");
    expect(await ourOutcome(["wait", "--for=condition=Nope", "pod/two", "--timeout=1s"])).toMatchObject({ exitCode: 1, stderr: "error: timed out waiting for the condition on pods/two\n" });
  });

  test("labels and annotations", async () => {
    expect(await ours("label", "pod", "two", "tier=x")).toBe("pod/two labeled\n");
    expect(await ourOutcome(["label", "pod", "two", "tier=y"])).toMatchObject({ exitCode: 1, stderr: "error: 'tier' already has a value (x), and --overwrite is false\n" });
    expect(await ours("label", "pod", "two", "tier-")).toBe("pod/two unlabeled\n");
    expect(await ours("annotate", "pod/two", "note=1")).toBe("pod/two annotated\n");
    expect(JSON.parse(await real("get", "pod", "two", "-o", "json")).metadata).toMatchObject({ labels: { app: "two" }, annotations: { note: "1" } });
  });

  test("describe says what there is to know", async () => {
    expect(await ours("describe", "pod", "two")).toMatch(/^Name: +two\nNamespace: +default\n[\s\S]*\nContainers:\n {2}main:\n {4}Container ID: +containerd:\/\/[\s\S]*\nConditions:\n[\s\S]*\nEvents:\n {2}Type +Reason +Age +From +Message\n/);
    await eventually(async () => expect(await ours("describe", "svc/web")).toMatch(/\nEndpoints: +10\.\d+\.\d+\.\d+:80\n/));
    expect(await ours("describe", "node")).toMatch(/\nAllocated resources:\n {2}\(Total limits may be over 100 percent, i\.e\., overcommitted\.\)\n/);
    expect(await ours("describe", "deploy", "web")).toMatch(/\nNewReplicaSet: +web-\S+ \(1\/1 replicas created\)\n/);
  });

  test("drain evicts what is not tied to the node", async () => {
    expect(await ourOutcome(["drain", "node-1"])).toMatchObject({ exitCode: 1, stdout: "node/node-1 cordoned\n", stderr: expect.stringContaining("cannot delete Pods that declare no controller (use --force to override): default/two") });
    expect(await ours("drain", "node-1", "--pod-selector=app=web")).toMatch(/^node\/node-1 already cordoned\n(?:evicting pod default\/web-\S+\n)+(?:pod\/web-\S+ evicted\n)+node\/node-1 drained\n$/);
    expect(await ours("uncordon", "node-1")).toBe("node/node-1 uncordoned\n");
    await eventually(async () => expect(await ours("get", "deploy", "web", "-o", "jsonpath={.status.readyReplicas}")).toBe("1"));
  });

  test("who may do what", async () => {
    expect(await ours("auth", "can-i", "delete", "pods")).toBe("yes\n");
    expect(await ourOutcome(["auth", "can-i", "delete", "pods", "--as=nobody"])).toMatchObject({ exitCode: 1, stdout: "no\n" });
    expect(await ours("auth", "whoami", "-o", "jsonpath={.status.userInfo.groups}")).toContain("system:masters");
    expect(await ourOutcome(["get", "pods", "--as=nobody"])).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/^Error from server \(Forbidden\): pods is forbidden: User "nobody" cannot list resource "pods"/) });
  });

  test("what the server serves", async () => {
    expect(await ours("api-resources", "--api-group=apps", "-o", "name")).toContain("deployments.apps\n");
    expect(await ours("api-versions")).toMatch(/^addons\.skiff\.io\/v1\nadmissionregistration[\s\S]*\napps\/v1\n[\s\S]*\nv1\n$/);
    expect(await ours("explain", "pod.spec.restartPolicy")).toMatch(/^KIND: {7}Pod\nVERSION: {4}v1\n\nFIELD: restartPolicy <string>\nENUM:\n {4}Always\n/);
    expect(await ours("top", "nodes")).toMatch(/^NAME +CPU\(cores\) +CPU\(%\) +MEMORY\(bytes\) +MEMORY\(%\) *\nnode-1 +\d+m +\d+% +\d+Mi +\d+% *\n$/);
  });
});

test("a link called kubectl is kubectl", async () => {
  const link = join(directory, "kubectl");
  symlinkSync(skiffExecutable(), link);
  expect(await output(skiff.network.inside([link, "get", "nodes", "-o", "name"]), { env })).toBe("node/node-1\n");
});

test("a server that isn't there, and words that aren't", async () => {
  expect(await ourOutcome(["get", "pods", "--server=https://127.0.0.1:1"])).toMatchObject({ exitCode: 1, stderr: "The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?\n" });
  expect((await ourOutcome(["frobnicate"])).stderr).toBe('error: unknown command "frobnicate" for "skiff kubectl"\n');
  expect((await ourOutcome(["get", "pods", "--nope"])).stderr).toBe("error: unknown flag: --nope\nSee 'skiff kubectl get --help' for usage.\n");
});
