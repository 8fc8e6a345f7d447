import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { load } from "js-yaml";
import { skiffForThisFile } from "../support/e2e.ts";
import { outcomeOf, output, type Outcome } from "../support/running.ts";
import { skiffExecutable, startWithBusybox } from "../support/skiff.ts";
import { pod, shell } from "../support/workloads.ts";

const skiff = await skiffForThisFile();
const { kubectl, network } = skiff;
const api = "https://127.0.0.1:6443";

interface Kubeconfig { clusters: { cluster: Record<string, string> }[]; users: { user: Record<string, string> }[] }
const config = load(readFileSync(skiff.kubeconfig, "utf8")) as Kubeconfig;
const certificates = { ca: config.clusters[0]!.cluster["certificate-authority-data"]!, cert: config.users[0]!.user["client-certificate-data"]!, key: config.users[0]!.user["client-key-data"]! };
for (const [name, base64] of Object.entries(certificates)) writeFileSync(join(skiff.directory, `${name}.pem`), Buffer.from(base64, "base64"));
const file = (name: string): string => join(skiff.directory, name);

/** curl with the server's CA: body, then the status on a line of its own. */
const curl = (path: string, ...args: string[]): Promise<Outcome> => outcomeOf(network.inside(["curl", "-sS", "--max-time", "30", "--cacert", file("ca.pem"), "-w", "\n%{http_code}", ...args, api + path]));
const asAdmin = ["--cert", file("cert.pem"), "--key", file("key.pem")];
const answer = async (path: string, ...args: string[]): Promise<{ code: number; body: Record<string, unknown> }> => {
  const { stdout, stderr } = await curl(path, ...args);
  const lines = stdout.split("\n");
  const code = Number(lines.pop());
  if (!code) throw new Error(stderr);
  return { code, body: JSON.parse(lines.join("\n")) as Record<string, unknown> };
};
const failure = (code: number, reason: string, message: unknown = expect.any(String)): object => ({ code, body: expect.objectContaining({ kind: "Status", apiVersion: "v1", status: "Failure", reason, message, code }) });

describe("requests", () => {
  const post = (type: string, body: string): ReturnType<typeof answer> => answer("/api/v1/namespaces/default/configmaps", ...asAdmin, "-H", `Content-Type: ${type}`, "--data-binary", body);

  test("malformed JSON and YAML", async () => {
    expect(await post("application/json", '{"kind": "ConfigMap", "metadata": {')).toMatchObject(failure(400, "BadRequest"));
    expect(await post("application/json", "[1, 2]")).toMatchObject(failure(400, "BadRequest"));
    expect(await post("application/yaml", "kind: ConfigMap\n  metadata: [")).toMatchObject(failure(400, "BadRequest"));
    expect(await post("application/json", "")).toMatchObject(failure(400, "BadRequest"));
    expect(await post("text/plain", "hello")).toMatchObject(failure(415, "UnsupportedMediaType"));
    expect((await kubectl.outcome(["apply", "-f", "-"], { input: "kind: ConfigMap\n  metadata: [" })).stderr).toContain("error");
  });

  test("an object of another kind, without a name, with wrong values", async () => {
    expect(await post("application/json", '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"}}')).toMatchObject(failure(400, "BadRequest"));
    expect(await post("application/json", '{"apiVersion":"v1","kind":"ConfigMap","metadata":{}}')).toMatchObject(failure(422, "Invalid", expect.stringContaining("name or generateName is required")));
    expect(await post("application/json", '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"No_Good"}}')).toMatchObject(failure(422, "Invalid", expect.stringContaining("a lowercase RFC 1123 subdomain must consist of")));
    expect(await post("application/json", '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"n":1}}')).toMatchObject(failure(400, "BadRequest"));
  });

  test("a body over the limit", async () => {
    writeFileSync(file("huge.json"), JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "huge" }, data: { a: "x".repeat(4 * 1024 * 1024) } }));
    expect(await answer("/api/v1/namespaces/default/configmaps", ...asAdmin, "-H", "Content-Type: application/json", "-H", "Expect:", "--data-binary", `@${file("huge.json")}`)).toMatchObject(failure(413, "RequestEntityTooLarge"));
    expect(await answer("/readyz?verbose", "-o", "/dev/null", "-w", '{}\n%{http_code}')).toMatchObject({ code: 200 });
  });

  test("a path that is not there, and a method that is not allowed", async () => {
    expect((await curl("/apis/nothing.example/v1/things", ...asAdmin)).stdout).toMatch(/^404 page not found\s+404$/);
    expect(await answer("/api/v1/namespaces/default/pods/x/status", ...asAdmin, "-X", "POST", "-H", "Content-Type: application/json", "-d", "{}")).toMatchObject({ code: 405 });
  });
});

describe("identities", () => {
  test("none may read health, and nothing else", async () => {
    expect((await curl("/healthz")).stdout).toBe("ok\n200");
    expect(await answer("/api/v1/namespaces")).toMatchObject(failure(403, "Forbidden", 'namespaces is forbidden: User "system:anonymous" cannot list resource "namespaces" in API group "" at the cluster scope'));
  });

  test("a wrong token, an empty one, and one with another signature", async () => {
    const token = await kubectl.token("default");
    expect(await answer("/api/v1/namespaces", "-H", `Authorization: Bearer ${token}`)).toMatchObject({ code: 403 });
    const [head, claims, signature] = token.split(".");
    const forged = [head, Buffer.from(Buffer.from(claims!, "base64url").toString().replace("default:default", "kube-system:default")).toString("base64url"), signature].join(".");
    for (const wrong of ["nonsense", forged, `${head}.${claims}.`]) expect(await answer("/api/v1/namespaces", "-H", `Authorization: Bearer ${wrong}`)).toMatchObject(failure(401, "Unauthorized", "Unauthorized"));
  });

  test("a client certificate of a foreign CA, though it says system:masters", async () => {
    const openssl = (...args: string[]): Promise<string> => output(["openssl", ...args], { cwd: skiff.directory });
    await openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "foreign-ca.key", "-out", "foreign-ca.pem", "-subj", "/CN=skiff-client-ca", "-days", "2");
    await openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "foreign.key", "-out", "foreign.csr", "-subj", "/O=system:masters/CN=system:admin");
    await openssl("x509", "-req", "-in", "foreign.csr", "-CA", "foreign-ca.pem", "-CAkey", "foreign-ca.key", "-CAcreateserial", "-out", "foreign.pem", "-days", "2");
    const { stdout, stderr, exitCode } = await curl("/api/v1/namespaces", "--cert", file("foreign.pem"), "--key", file("foreign.key"));
    // Whether TLS refuses it or the API does: it gets nothing.
    if (exitCode === 0) expect(stdout).toMatch(/\n40[13]$/);
    else expect(stderr).toMatch(/alert|certificate|SSL/i);
    expect(stdout).not.toContain("NamespaceList");
  });

  test("the server's keys, database and kubeconfig are root's alone", async () => {
    const open = (await output(["find", join(skiff.layout.dataDir, "server"), "-type", "f", "-perm", "/077"])).trim().split("\n").filter((path) => path && !path.endsWith(".crt"));
    expect(open).toEqual([]);
    expect(statSync(skiff.kubeconfig).mode & 0o777).toBe(0o600);
  });

  test("the kubelet's port is guarded like the API's", async () => {
    const ask = (...args: string[]): Promise<string> => output(network.outside(["curl", "-sSk", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_code}", ...args, `https://${network.ip}:10250/pods`]));
    expect(await ask()).toBe("401");
    expect(await ask(...asAdmin)).toBe("200");
  });
});

describe("starting", () => {
  /** Runs a second server to its end, which should come soon. */
  const start = (...flags: string[]): Promise<Outcome> => outcomeOf(network.inside([skiffExecutable(), "server", "--config", file("config.yaml"), "--node-name", "node-2", "--disable-agent", "--write-kubeconfig", file("second.yaml"), "--data-dir", file("second"), ...flags]), { timeoutMs: 60_000 });

  test("on a port that is taken", async () => {
    const { exitCode, stderr } = await start("--https-listen-port", "6443");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("skiff: 0.0.0.0:6443 is taken by another program: stop it, or choose another port with --https-listen-port");
    await skiff.untilApiReady();
  });

  test("on a data directory of a server that runs", async () => {
    const { exitCode, stderr } = await start("--https-listen-port", "0", "--data-dir", skiff.layout.dataDir);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/skiff: .*(another|in use|already)/);
    await skiff.untilApiReady();
  });

  test("in a directory that can't be written", async () => {
    writeFileSync(file("a-file"), "");
    const { exitCode, stderr } = await start("--data-dir", file("a-file/below"));
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/skiff: the data directory .*a-file\/below can't be written \(ENOTDIR\): make it writable, run as root, or choose another with --data-dir/);
    mkdirSync(file("sealed"));
    chmodSync(file("sealed"), 0o555);
    const unprivileged = await outcomeOf(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", skiffExecutable(), "server", "--disable-agent", "--node-ip", "127.0.0.1", "--data-dir", file("sealed/data")], { timeoutMs: 60_000 });
    expect(unprivileged.exitCode).toBe(1);
    expect(unprivileged.stderr).toContain("can be read by root alone: run this as root");
  });

  test("with settings that make no sense", async () => {
    for (const [flags, message] of [
      [["--https-listen-port", "99999"], "--https-listen-port must be a port number"],
      [["--cluster-cidr", "10.43.0.0/16"], "overlap"],
      [["--no-such-flag"], "unknown option '--no-such-flag'"],
      [["--etcd-s3"], "unknown option '--etcd-s3': what K3s calls etcd-s3 is backup-s3-bucket here"],
      [["--config", "/no/such/file.yaml"], "the configuration file /no/such/file.yaml does not exist"],
    ] as const) {
      const { exitCode, stderr } = await start(...flags);
      expect(exitCode).toBe(1);
      expect(stderr).toContain(message);
    }
  });
});

test("two instances run side by side, each with pods of its own", async () => {
  const second = await startWithBusybox({
    network, flags: ["--https-listen-port", "7443", "--kubelet-port", "10251", "--cluster-cidr", "10.52.0.0/16", "--service-cidr", "10.53.0.0/16", "--service-node-port-range", "31000-31999", "--node-name", "node-b"],
  });
  try {
    expect(second.layout.instance).not.toBe(skiff.layout.instance);
    for (const each of [skiff, second]) await each.kubectl.apply(pod("twin", shell("sleep 1000")));
    for (const each of [skiff, second]) await each.kubectl("wait", "--for=condition=Ready", "pod/twin", "--timeout=120s");
    expect((await second.kubectl.get("pod", "twin")).status.podIP).toStartWith("10.52.");
    expect((await skiff.kubectl.get("pod", "twin")).status.podIP).toStartWith("10.42.");
    expect((await second.kubectl.items("nodes")).map(({ metadata }) => metadata.name)).toEqual(["node-b"]);
    expect(await second.stop()).toBe(0);
    expect(await kubectl("exec", "twin", "--", "echo", "still here")).toBe("still here\n");
  } finally {
    second.dispose();
  }
});

describe("the other subcommands", () => {
  test.each(["status", "token", "token list", "backup", "backup list", "restore --list", "secrets-encrypt status", "datastore migrate --datastore-endpoint http://127.0.0.1:1"])("say that they are for root: %s", async (command) => {
    const { exitCode, stdout, stderr } = await outcomeOf(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", skiffExecutable(), ...command.split(" "), "--data-dir", skiff.layout.dataDir]);
    expect([exitCode, stdout, stderr]).toEqual([1, "", `skiff: ${skiff.layout.dataDir} can be read by root alone: run this as root, such as with sudo\n`]);
  });

  test("status, token, version, help", async () => {
    // Of another server, which is off.
    await kubectl.apply({ apiVersion: "v1", kind: "Node", metadata: { name: "elsewhere", labels: { "node-role.kubernetes.io/control-plane": "" } } });
    expect(await skiff.command("status", "--data-dir", skiff.layout.dataDir)).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("Node         elsewhere  NotReady") });
    await kubectl("delete", "node", "elsewhere");
    expect((await skiff.command("status", "--data-dir", skiff.layout.dataDir)).stdout).toMatch(/API server .* v1\.36\S*\nDatastore +sqlite .* written in \S+.*\nNode +node-1 +Ready +containerd/);
    expect((await skiff.command("token", "--data-dir", skiff.layout.dataDir)).stdout).toMatch(/^K10[0-9a-f]{64}::server:\S+\n$/);
    expect((await skiff.command("version")).stdout).toMatch(/^skiff \d+\.\d+\.\d+.*\nKubernetes API v1\.36/);
    expect(await skiff.command("--help")).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("server") });
    expect(await skiff.command("nonsense")).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("unknown command") });
  });
});
