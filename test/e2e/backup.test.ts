import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { load } from "js-yaml";
import { restoredRevision } from "../../src/storage/snapshot/restored-revision.ts";
import { eventually } from "../support/eventually.ts";
import { kubectlFor, type KubeJson } from "../support/kubectl.ts";
import { type Outcome, outcomeOf, output } from "../support/running.ts";
import { startS3Server } from "../support/s3-server.ts";
import { skiffExecutable, TestSkiff } from "../support/skiff.ts";

setDefaultTimeout(300_000);

const directory = mkdtempSync(join(tmpdir(), "skiff-e2e-backup-"));
const original = new TestSkiff({ flags: ["--disable-agent", "--secrets-encryption"] }), successor = new TestSkiff({ flags: ["--disable-agent"] });
const file = join(directory, "cluster.tar.age"), passphraseFile = join(directory, "passphrase");
writeFileSync(passphraseFile, "correct horse battery staple\n");
afterAll(() => {
  original.dispose();
  successor.dispose();
  rmSync(directory, { recursive: true, force: true });
});

const place = (skiff: TestSkiff): string[] => ["--data-dir", skiff.layout.dataDir, "--config", join(skiff.directory, "config.yaml")];
async function succeeded(outcome: Promise<Outcome>): Promise<string> {
  const { exitCode, stdout, stderr } = await outcome;
  if (exitCode !== 0) throw new Error(stdout + stderr);
  return stdout;
}

/** Files with what the administrator's kubeconfig says. */
function credentials(skiff: TestSkiff): { server: string; flags: string[]; files: string[] } {
  const { clusters: [{ cluster }], users: [{ user }] } = load(readFileSync(skiff.kubeconfig, "utf8")) as KubeJson;
  const files = Object.entries({ ca: cluster["certificate-authority-data"], cert: user["client-certificate-data"], key: user["client-key-data"] }).map(([name, data]) => {
    const path = join(skiff.directory, `${name}.pem`);
    writeFileSync(path, Buffer.from(String(data), "base64"));
    return path;
  });
  return { server: cluster.server, flags: ["--cacert", files[0]!, "--cert", files[1]!, "--key", files[2]!], files };
}

/** Answers to GET, by path; all from one client. */
async function answers(skiff: TestSkiff, paths: readonly string[]): Promise<KubeJson[]> {
  const { server, flags } = credentials(skiff);
  const text = await output(skiff.network.inside(["curl", "-sSg", ...flags, "-w", "\n--next--\n", ...paths.map((path) => server + path)]));
  return text.split("\n--next--\n").slice(0, -1).map((each) => JSON.parse(each) as KubeJson);
}

const newestOf = async (skiff: TestSkiff): Promise<number> => Number((await answers(skiff, ["/api/v1/configmaps"]))[0].metadata.resourceVersion);

async function listPaths(skiff: TestSkiff): Promise<string[]> {
  const [{ groups }] = await answers(skiff, ["/apis"]);
  const versions: string[] = ["/api/v1", ...groups.map(({ preferredVersion }: KubeJson) => `/apis/${preferredVersion.groupVersion}`)];
  const lists = await answers(skiff, versions);
  return lists.flatMap(({ resources }, at) => resources.filter(({ name, verbs }: KubeJson) => verbs.includes("list") && verbs.includes("watch") && !name.includes("/")).map(({ name }: KubeJson) => `${versions[at]}/${name}`));
}

/** All objects as they were at a revision, by the path of their list. */
async function stateAt(skiff: TestSkiff, paths: readonly string[], revision: number): Promise<Record<string, KubeJson[]>> {
  const lists = await answers(skiff, paths.map((path) => `${path}?resourceVersion=${revision}&resourceVersionMatch=Exact`));
  return Object.fromEntries(lists.map((list, at) => [paths[at]!, list.items ?? list]));
}

/** Makes, changes and deletes ConfigMaps in many clients until it is killed. */
function startWriting(skiff: TestSkiff): { stop(): Promise<void> } {
  const { server, files: [ca, cert, key] } = credentials(skiff);
  const script = join(skiff.directory, "write.ts");
  writeFileSync(script, `
    const tls = { ca: await Bun.file(${JSON.stringify(ca)}).text(), cert: await Bun.file(${JSON.stringify(cert)}).text(), key: await Bun.file(${JSON.stringify(key)}).text() };
    const send = (method, path, body) => fetch(${JSON.stringify(server)} + path, { method, tls, headers: { "Content-Type": "application/json" }, body: body && JSON.stringify(body) });
    const all = "/api/v1/namespaces/shop/configmaps";
    await Promise.all([...Array(8).keys()].map(async (client) => {
      for (let n = 0; ; n++) {
        const name = "busy-" + client + "-" + n, object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { text: "x".repeat(n % 5000) } };
        await send("POST", all, object);
        await send("PUT", all + "/" + name, { ...object, data: { text: "changed" } });
        if (n > 20) await send("DELETE", all + "/busy-" + client + "-" + (n - 20));
        console.log(n);
      }
    }));
  `);
  const child = Bun.spawn(skiff.network.inside([process.execPath, script]), { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
  return {
    async stop() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

let revision = 0, token = "", newest = 0;

describe("a cluster on another machine", () => {
  test("is backed up while it is written to, into an encrypted file for root alone", async () => {
    await original.start({ node: false });
    const { kubectl } = original;
    await kubectl("create", "namespace", "shop");
    await kubectl("create", "deployment", "web", "--image=busybox", "-n", "shop");
    await kubectl("create", "secret", "generic", "password", "--from-literal=word=hunter2", "-n", "shop");
    await kubectl.apply({ apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", metadata: { name: "widgets.example.com" }, spec: { group: "example.com", scope: "Namespaced", names: { plural: "widgets", singular: "widget", kind: "Widget" }, versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } } }] } });
    await kubectl("wait", "--for=condition=Established", "crd/widgets.example.com");
    await eventually(() => kubectl.apply({ apiVersion: "example.com/v1", kind: "Widget", metadata: { name: "one", namespace: "shop" }, spec: { size: 7 } }), { interval: 100 });
    await eventually(async () => expect(await kubectl.items("pods", "-n", "shop")).toHaveLength(1), { timeout: 60_000 });
    token = await kubectl.token("default");
    writeFileSync(join(original.layout.manifestsDir, "mine.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-manifest, namespace: default}\n");
    const writing = startWriting(original);
    try {
      await eventually(async () => expect((await kubectl.items("configmaps", "-n", "shop")).length).toBeGreaterThan(50), { timeout: 60_000 });
      const printed = await succeeded(original.command("backup", "--encrypt", "--output", file, "--passphrase-file", passphraseFile, ...place(original)));
      expect(printed).toStartWith(file);
    } finally {
      await writing.stop();
    }
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, "latin1")).toStartWith("age-encryption.org/v1\n");
    newest = await newestOf(original);
  });

  test("is told in one sentence to be none where standard output has no room for it", async () => {
    const { exitCode, stderr } = await outcomeOf(original.network.inside(["sh", "-c", '"$0" backup --output - "$@" > /dev/full', skiffExecutable(), ...place(original)]));
    expect([exitCode, stderr]).toEqual([1, "skiff: there is no room for the backup where standard output goes, so what is there is none\n"]);
  });

  test("is one of several that are taken at the same moment, each a file of its own", async () => {
    const taken = await Promise.all([1, 2, 3].map(() => succeeded(original.command("backup", ...place(original)))));
    const files = taken.map((printed) => printed.split("  ")[0]!);
    expect(readdirSync(join(original.layout.dataDir, "backups")).sort()).toEqual(files.map((path) => basename(path)).sort());
  });

  test("is refused without its passphrase, and then nothing is there", async () => {
    const { exitCode, stderr } = await successor.command("restore", file, ...place(successor));
    expect([exitCode, stderr]).toEqual([1, `skiff: ${file} is encrypted: give its passphrase with --passphrase-file or SKIFF_BACKUP_PASSPHRASE\n`]);
    expect(existsSync(successor.layout.dataDir)).toBe(false);
  });

  test("comes back as it was, object for object", async () => {
    const printed = await succeeded(successor.command("restore", file, "--passphrase-file", passphraseFile, ...place(successor)));
    expect(printed).toContain(`is in ${successor.layout.dataDir}`);
    revision = Number(/\(revision (\d+)\)/.exec(printed)![1]);
    expect(revision).toBeLessThan(newest);
    await successor.start({ node: false });
    const paths = await listPaths(original);
    expect(paths.length).toBeGreaterThan(40);
    const [before, after] = [await stateAt(original, paths, revision), await stateAt(successor, paths, restoredRevision(revision))];
    expect(before["/api/v1/configmaps"]!.length).toBeGreaterThan(50);
    expect(before["/apis/example.com/v1/widgets"]).toHaveLength(1);
    for (const path of paths) expect({ [path]: after[path] }).toEqual({ [path]: before[path]! });
  });

  test("takes credentials of before, shows encrypted Secrets and goes on with its manifests", async () => {
    const asBefore = kubectlFor({ wrap: successor.network.inside, kubeconfig: original.kubeconfig, home: directory });
    expect(Buffer.from(await asBefore("get", "secret", "password", "-n", "shop", "-o", "jsonpath={.data.word}"), "base64").toString()).toBe("hunter2");
    expect(readFileSync(successor.layout.databaseFile).includes(Buffer.from("hunter2").toString("base64"))).toBe(false);
    const { server, flags } = credentials(original);
    const { message } = JSON.parse(await output(successor.network.inside(["curl", "-sS", ...flags.slice(0, 2), "-H", `Authorization: Bearer ${token}`, `${server}/api/v1/nodes`]))) as { message: string };
    expect(message).toContain('User "system:serviceaccount:default:default" cannot list resource "nodes"');
    await eventually(() => successor.kubectl("get", "configmap", "from-manifest"), { timeout: 60_000 });
    // Who isn't an administrator gets no backup over the API.
    const asked = async (...as: string[]): Promise<KubeJson> => JSON.parse(await output(successor.network.inside(["curl", "-sS", ...flags.slice(0, 2), ...as, `${server}/v1-skiff/backup`])));
    expect([(await asked()).code, (await asked("-H", `Authorization: Bearer ${token}`)).code]).toEqual([401, 403]);
  });

  test("sends clients back to a list, whose revision is higher than any before", async () => {
    const [gone] = await answers(successor, [`/api/v1/configmaps?watch=1&resourceVersion=${newest}&timeoutSeconds=5`]);
    expect(gone.object ?? gone).toMatchObject({ kind: "Status", code: 410, reason: "Expired" });
    expect(await newestOf(successor)).toBeGreaterThan(newest);
  });
});

describe("killed at any moment, a restore", () => {
  const caOf = (skiff: TestSkiff): string => readFileSync(join(skiff.layout.tlsDir, "server-ca.crt"), "utf8");

  test("leaves the old cluster or the new one, whole", async () => {
    await successor.stop();
    const large = join(directory, "large.tar");
    await original.stop();
    await succeeded(original.command("backup", "--output", large, ...place(original)));
    const config = join(directory, "settings.yaml"), settings = ["--data-dir", join(directory, "victim"), "--config", config];
    writeFileSync(config, "{}\n");
    const restore = (from: string): string[] => [skiffExecutable(), "restore", from, "--force", ...settings];
    const otherCluster = new TestSkiff({ flags: ["--disable-agent"], network: original.network });
    try {
      await otherCluster.start({ node: false });
      await otherCluster.stop();
      const other = join(directory, "other.tar");
      await succeeded(otherCluster.command("backup", "--output", other, ...place(otherCluster)));
      await output(restore(other));
      const started = performance.now();
      await output(restore(large));
      const usual = performance.now() - started;
      for (let round = 0; round < 14; round++) {
        const child = Bun.spawn(restore(round % 2 ? large : other), { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
        await Bun.sleep(usual * (0.3 + round / 13));
        child.kill("SIGKILL");
        await child.exited;
        // The next command finishes what was decided; the state can be read, and belongs to the keys beside it.
        const archive = join(directory, `after-${round}.tar`);
        await output([skiffExecutable(), "backup", "--output", archive, ...settings]);
        const ca = await output(["tar", "-xOf", archive, "server/tls/server-ca.crt"]);
        const cluster = ca === caOf(original) ? "large" : ca === caOf(otherCluster) ? "other" : "neither";
        expect(cluster).not.toBe("neither");
        const check = join(directory, `check-${round}`);
        expect(await output([skiffExecutable(), "restore", archive, "--data-dir", check, "--config", config])).toContain("(revision ");
        rmSync(check, { recursive: true });
      }
      expect(readdirSync(join(directory, "victim")).filter((name) => !/^server(\.replaced-\d+|\.restoring)?$|^backups$/.test(name))).toEqual([]);
    } finally {
      otherCluster.dispose();
    }
  });
});

test("a server takes backups into a bucket by schedule, by a CA of its own, and a cluster comes back from there", async () => {
  const s3 = await startS3Server({ tls: true });
  const skiff = new TestSkiff({ flags: ["--disable-agent"] });
  try {
    mkdirSync(skiff.directory, { recursive: true });
    const inside = new URL(`https://${s3.endpoint}`);
    const flags = ["--backup-s3-endpoint", inside.host, "--backup-s3-bucket", s3.bucket, "--backup-s3-folder", "edge", "--backup-s3-access-key", s3.accessKey, "--backup-s3-secret-key", s3.secretKey, "--backup-s3-endpoint-ca", s3.certificateFile!];
    const data = join(skiff.directory, "data"), kubeconfig = join(skiff.directory, "outside.yaml"), config = join(skiff.directory, "config.yaml");
    writeFileSync(config, "{}\n");
    const log = join(skiff.directory, "outside.log");
    const server = Bun.spawn([skiffExecutable(), "server", "--config", config, "--data-dir", data, "--write-kubeconfig", kubeconfig, "--https-listen-port", "0", "--bind-address", "127.0.0.1", "--disable-agent", "--backup-schedule", "* * * * *", "--backup-retention", "1", ...flags], { stdin: "ignore", stdout: Bun.file(log), stderr: Bun.file(log) });
    try {
      const own = ["--data-dir", data, "--config", config, ...flags];
      // A bucket that says nothing is given up after three minutes, and asked again a minute later.
      await eventually(async () => expect(await output([skiffExecutable(), "backup", "list", ...own])).toMatch(/s3:\/\/backups\/edge\/skiff-scheduled-\S+\.tar\n/), { timeout: 360_000, interval: 2000 })
        .catch((error: unknown) => { throw new Error(`no backup by schedule; the server says:\n${readFileSync(log, "utf8")}\nthe bucket:\n${s3.requests()}`, { cause: error }); });
      await output([skiffExecutable(), "backup", ...own]);
      const [, name] = /(s3:\/\/\S+\/skiff-backup-\S+\.tar)/.exec(await output([skiffExecutable(), "backup", "list", ...own]))!;
      expect(await output([skiffExecutable(), "restore", name!, "--data-dir", join(directory, "from-bucket"), "--config", join(directory, "none.yaml"), ...flags])).toContain("is in ");
      expect(await output([skiffExecutable(), "backup", "delete", name!, ...own])).toContain("deleted");
      expect(await output([skiffExecutable(), "backup", "list", ...own])).not.toContain("skiff-backup-");
      expect(readFileSync(log, "utf8")).not.toContain("S3RVER");
    } finally {
      server.kill("SIGTERM");
      await server.exited;
    }
  } finally {
    s3.dispose();
    skiff.dispose();
  }
}, 480_000);
