import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { skiffForThisFile } from "../support/e2e.ts";
import { eventually } from "../support/eventually.ts";
import { pod, shell } from "../support/workloads.ts";

const skiff = await skiffForThisFile();
const { kubectl } = skiff;

const claim = (name: string): object => ({ apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name, namespace: "default" }, spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "16Mi" } } } });
const ready = (name: string): Promise<string> => kubectl("wait", "--for=condition=Ready", `pod/${name}`, "--timeout=90s");
const inside = (name: string, script: string): Promise<string> => kubectl("exec", name, "--", "sh", "-c", script);
const container = (mount: object = {}): ReturnType<typeof shell> => shell("sleep 1000", { volumeMounts: [{ name: "data", mountPath: "/data", ...mount }] as never });
const user = (name: string, claimName: string, mount: object = {}, rest: object = {}): ReturnType<typeof pod> =>
  pod(name, container(mount), { volumes: [{ name: "data", persistentVolumeClaim: { claimName } }], terminationGracePeriodSeconds: 0, ...rest });

test("what a pod wrote the next one reads; when the claim goes so does the directory", async () => {
  expect(await kubectl("get", "storageclass")).toMatch(/^local-path \(default\) +skiff\.io\/local-path +Delete +WaitForFirstConsumer +false/m);
  await kubectl.apply(claim("data"));
  expect((await kubectl.get("pvc", "data")).status.phase).toBe("Pending");
  await kubectl.apply(user("writer", "data"));
  await ready("writer");
  const { spec, status } = await kubectl.get("pvc", "data");
  expect([spec.storageClassName, status.phase]).toEqual(["local-path", "Bound"]);
  const directory = (await kubectl.get("pv", spec.volumeName)).spec.local.path as string;
  expect(directory).toBe(join(skiff.layout.dataDir, "storage", `${spec.volumeName}_default_data`));
  expect(statSync(directory).mode & 0o7777).toBe(0o777);
  await inside("writer", "echo kept > /data/file; mkdir /data/deep; echo deeper > /data/deep/file");
  expect(readFileSync(join(directory, "file"), "utf8")).toBe("kept\n");
  await kubectl("delete", "pod", "writer");

  await kubectl.apply(user("reader", "data", { readOnly: true }), user("deep", "data", { subPath: "deep" }, { securityContext: { runAsUser: 1000, fsGroup: 4321 } }));
  await ready("reader");
  await ready("deep");
  expect(await inside("reader", "cat /data/file; touch /data/x 2>&1 || true")).toBe("kept\ntouch: /data/x: Read-only file system\n");
  expect(await inside("deep", "cat /data/file; echo mine > /data/own; stat -c '%u %g' /data/own")).toBe("deeper\n1000 4321\n");

  // A claim in use waits for its pods.
  await kubectl("delete", "pvc", "data", "--wait=false");
  expect((await kubectl.get("pvc", "data")).metadata.deletionTimestamp).toBeString();
  expect(existsSync(directory)).toBe(true);
  await kubectl("delete", "pod", "reader", "deep");
  await eventually(() => expect(readdirSync(join(skiff.layout.dataDir, "storage"))).toEqual([]), { interval: 50 });
  await eventually(async () => expect((await kubectl.outcome(["get", "pv"])).stderr).toContain("No resources found"), { interval: 100 });
  // Forgotten after that.
  await eventually(async () => expect((await kubectl.get("node", "node-1")).metadata.annotations ?? {}).not.toHaveProperty([`local-path.skiff.io/${spec.volumeName}`]), { interval: 100 });
});

test("data outlives a server that is killed, and a claim that went meanwhile is cleared away after", async () => {
  await kubectl.apply(claim("kept"), claim("gone"), user("one", "kept"), user("two", "gone"));
  await ready("one");
  await ready("two");
  await inside("one", "echo kept > /data/file");
  await kubectl("delete", "pod", "two");
  await kubectl("delete", "pvc", "gone", "--wait=false");
  await skiff.kill9();
  await skiff.start();
  await eventually(() => expect(readdirSync(join(skiff.layout.dataDir, "storage"))).toEqual([expect.stringContaining("_default_kept") as never]), { timeout: 60_000, interval: 100 });
  await kubectl("delete", "pod", "one", "--ignore-not-found");
  await kubectl.apply(user("again", "kept"));
  await ready("again");
  expect(await inside("again", "cat /data/file")).toBe("kept\n");
});

test("a StatefulSet has a volume for each of its pods, and finds it again", async () => {
  const template = { metadata: { labels: { app: "db" } }, spec: { containers: [container()], terminationGracePeriodSeconds: 0 } };
  await kubectl.apply({
    apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name: "db", namespace: "default" },
    spec: { replicas: 2, serviceName: "db", selector: { matchLabels: { app: "db" } }, template, volumeClaimTemplates: [{ metadata: { name: "data" }, spec: (claim("data") as { spec: object }).spec }] },
  });
  await kubectl("rollout", "status", "statefulset/db", "--timeout=90s");
  for (const name of ["db-0", "db-1"]) await inside(name, "hostname > /data/who");
  await kubectl("delete", "pod", "db-0", "db-1");
  // The set's status may still be what it was before they went.
  for (const name of ["db-0", "db-1"]) await eventually(async () => expect(await inside(name, "cat /data/who")).toBe(`${name}\n`), { timeout: 90_000, interval: 100 });
});

test("volumes that users made: directories of the node, which must be there", async () => {
  const made = join(skiff.directory, "made");
  mkdirSync(made);
  writeFileSync(join(made, "file"), "of the host");
  const volume = (name: string, source: object): object => ({ apiVersion: "v1", kind: "PersistentVolume", metadata: { name }, spec: { accessModes: ["ReadWriteOnce"], capacity: { storage: "16Mi" }, storageClassName: "by-hand", claimRef: { namespace: "default", name }, ...source } });
  const nodeAffinity = { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: ["node-1"] }] }] } };
  const by = (name: string): object => ({ ...claim(name), spec: { ...(claim(name) as { spec: object }).spec, storageClassName: "by-hand" } });
  await kubectl.apply(
    volume("host", { hostPath: { path: made, type: "Directory" } }), volume("local", { local: { path: made }, nodeAffinity }), volume("missing", { local: { path: join(made, "missing") }, nodeAffinity }),
    ...["host", "local", "missing"].flatMap((name) => [by(name), user(name, name)]),
  );
  for (const name of ["host", "local"]) {
    await ready(name);
    expect(await inside(name, "cat /data/file")).toBe("of the host");
  }
  await eventually(async () => expect(await kubectl.eventsOf("missing")).toMatch(/Warning +FailedMount .*path ".*missing" does not exist/), { interval: 200 });
  mkdirSync(join(made, "missing"));
  await ready("missing");
  await kubectl("delete", "pod", "host", "local", "missing");
  await kubectl("delete", "pvc", "host", "local", "missing");
  await eventually(async () => expect((await kubectl.items("persistentvolumes")).filter(({ metadata }) => ["host", "local", "missing"].includes(metadata.name)).map(({ status }) => status.phase)).toEqual(["Released", "Released", "Released"]), { interval: 200 });
  expect(readFileSync(join(made, "file"), "utf8")).toBe("of the host");
});
