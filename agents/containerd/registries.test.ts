import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { logger } from "../../src/base/log.ts";
import { containerdConfig } from "./config.ts";
import { parseRegistries } from "./registries.ts";
import { RegistryFiles } from "./registry-files.ts";
import { authsOf, registryFolders } from "./registry-hosts.ts";
import { installedRuntimes } from "./runtimes.ts";

const folders = (yaml: string) => [...registryFolders(parseRegistries(yaml), (problem) => problems.push(problem))];
const hosts = (yaml: string): Record<string, string> => Object.fromEntries(folders(yaml).flatMap(([name, { files }]) => (files["hosts.toml"] === undefined ? [] : [[name, files["hosts.toml"]]])));
const problems: string[] = [];

test("mirrors are asked before the registry itself", () => {
  expect(hosts(`
mirrors:
  docker.io:
    endpoint: ["https://mirror.example.com:5000", "http://10.0.0.1/hub"]
  registry.example.com:5000:
    endpoint: [plain.example.com]
    rewrite: {"^(.*)$": "images/$1"}
  "*":
    endpoint: ["http://cache.local:5001"]
configs:
  mirror.example.com:5000:
    auth: {username: u, password: p}
    tls: {ca_file: /ca.pem, cert_file: /c.pem, key_file: /k.pem}
  own.example.com:
    tls: {insecure_skip_verify: true}
`)).toEqual({
    "docker.io": `server = "https://registry-1.docker.io"

[host."https://mirror.example.com:5000"]
  capabilities = ["pull", "resolve"]
  ca = ["/ca.pem"]
  client = [["/c.pem", "/k.pem"]]

[host."http://10.0.0.1/hub"]
  capabilities = ["pull", "resolve"]
  override_path = true
`,
    "registry.example.com:5000": `server = "https://registry.example.com:5000"

[host."https://plain.example.com/v2/images"]
  capabilities = ["pull", "resolve"]
  override_path = true
`,
    _default: `
[host."http://cache.local:5001"]
  capabilities = ["pull", "resolve"]
`,
    "mirror.example.com:5000": `server = "https://mirror.example.com:5000"

[host."http://cache.local:5001"]
  capabilities = ["pull", "resolve"]

[host."https://mirror.example.com:5000"]
  ca = ["/ca.pem"]
  client = [["/c.pem", "/k.pem"]]
`,
    "own.example.com": `server = "https://own.example.com"

[host."http://cache.local:5001"]
  capabilities = ["pull", "resolve"]

[host."https://own.example.com"]
  skip_verify = true
`,
  });
});

test("a registry's own certificates alone are links under the names that Docker gave them; beside mirrors they stand in a table", () => {
  const tls = "tls: {ca_file: /ca.pem, cert_file: /c.pem, key_file: /k.pem}";
  expect(folders(`configs: {"a.example.com:5000": {${tls}}}`)).toEqual([["a.example.com:5000", { files: {}, links: { "ca.crt": "/ca.pem", "client.cert": "/c.pem", "client.key": "/k.pem" } }]]);
  for (const loopback of ["localhost:5000", "127.0.0.1", "[::1]:5000"]) expect(hosts(`configs: {"${loopback}": {tls: {ca_file: /ca.pem}}}`)[loopback]).toContain(`[host."https://${loopback}"]`);
  expect(hosts(`
mirrors: {a.example.com: {endpoint: [b]}}
configs: {a.example.com: {${tls}}}
`)).toEqual({ "a.example.com": `server = "https://a.example.com"

[host."https://b"]
  capabilities = ["pull", "resolve"]

[host."https://a.example.com"]
  ca = ["/ca.pem"]
  client = [["/c.pem", "/k.pem"]]
` });
});

test("the mirror of all registries is asked directly; what would count for all hosts is told of", () => {
  problems.length = 0;
  expect(folders(`
mirrors: {"*": {endpoint: ["https://cache.local"]}}
configs: {cache.local: {tls: {ca_file: /ca.pem}}, "*": {auth: {username: a}, tls: {insecure_skip_verify: true}}}
`)).toEqual([
    ["_default", { files: { "hosts.toml": '\n[host."https://cache.local"]\n  capabilities = ["pull", "resolve"]\n  ca = ["/ca.pem"]\n' }, links: {} }],
    ["cache.local", { files: {}, links: { "ca.crt": "/ca.pem" } }],
  ]);
  expect(problems).toEqual([expect.stringContaining('configs of "*" are left out')]);
});

test("a registry that is its own mirror is reached as it says there", () => {
  expect(hosts('mirrors: {"10.0.0.1:5000": {endpoint: ["http://10.0.0.1:5000"]}}')["10.0.0.1:5000"]).toStartWith('server = "http://10.0.0.1:5000"\n');
});

test("credentials go by host, Docker Hub's by that of its server", () => {
  expect(authsOf(parseRegistries("configs: {docker.io: {auth: {username: a, password: 1}}, x: {tls: {}}}"))).toEqual({ "registry-1.docker.io": { username: "a", password: "1" } });
});

test("a mirror with a rewrite that containerd can't do is left out, and told of; the others are there", () => {
  problems.length = 0;
  expect(hosts("mirrors: {a.example.com: {endpoint: [b], rewrite: {'^x/(.*)': 'y/$1'}}, c.example.com: {endpoint: [d]}}")).toEqual({
    "a.example.com": 'server = "https://a.example.com"\n', "c.example.com": 'server = "https://c.example.com"\n\n[host."https://d"]\n  capabilities = ["pull", "resolve"]\n',
  });
  expect(problems).toEqual([expect.stringContaining('the mirrors of "a.example.com" are left out')]);
});

test("nothing said is nothing done", () => expect(hosts("")).toEqual({}));

test.each([
  ["mirrors: [a]", 'mirrors must be "name: value" lines'], ["mirror: {}", 'the file has "mirror"; it may have mirrors, configs'], ["mirrors: {a: {endpoints: []}}", 'mirrors."a" has "endpoints"'],
  ["mirrors: {a: {endpoint: ['ftp://x']}}", 'has the endpoint "ftp://x"'], ["a: [", "not valid YAML"], ["configs: {a: {auth: {user: x}}}", 'has "user"; it may have username, password, auth, identity_token'],
])("%s is refused with a sentence", (yaml, message) => expect(() => hosts(yaml)).toThrow(message));

describe("the configuration", () => {
  const paths = { root: "/r", state: "/s", socket: "/c.sock", cniConfDir: "/cni" }, host = { cniBinDir: "/bin", canLowerOomScore: true, apparmor: false };

  test("has what is installed as runtimes, credentials, and the administrator's own lines", () => {
    const text = containerdConfig(paths, host, {
      runtimes: installedRuntimes((program) => (["crun", "containerd-shim-spin-v2"].includes(program) ? `/bin/${program}` : null)),
      registries: { directory: "/certs.d", auths: { "a.example.com": { username: "u", password: 'p"' } } }, more: "[debug]\n  level = \"debug\"\n",
    });
    const { debug, plugins } = Bun.TOML.parse(text) as { debug: object; plugins: Record<string, any> };
    const cri = plugins["io.containerd.grpc.v1.cri"];
    expect(debug).toEqual({ level: "debug" });
    expect(cri.containerd.default_runtime_name).toBe("crun");
    expect(cri.containerd.runtimes).toEqual({ crun: { runtime_type: "io.containerd.runc.v2", options: { BinaryName: "crun", SystemdCgroup: false } }, spin: { runtime_type: "io.containerd.spin.v2" } });
    expect(cri.registry).toEqual({ config_path: "/certs.d", configs: { "a.example.com": { auth: { username: "u", password: 'p"' } } } });
  });

  test("without any runtime names runc, so that what is missing is told where it is needed", () => expect(installedRuntimes(() => null).map(({ name }) => name)).toEqual(["runc"]));
});

describe("the files", () => {
  const root = mkdtempSync(join(tmpdir(), "skiff-registries-"));
  afterAll(() => rmSync(root, { recursive: true }));
  const source = join(root, "registries.yaml"), directory = join(root, "certs.d");
  const files = new RegistryFiles({ source, directory, clock: systemClock, log: logger("test") });
  const hostsOf = (name: string): string => join(directory, name, "hosts.toml");

  test("follow the source; a mistake changes nothing", () => {
    expect(files.apply()).toBeFalse();
    writeFileSync(source, "mirrors: {a.example.com: {endpoint: [b]}}\nconfigs: {b: {auth: {auth: eA==}}}\n");
    expect(files.apply()).toBeTrue();
    expect(readFileSync(hostsOf("a.example.com"), "utf8")).toContain('[host."https://b"]');
    writeFileSync(source, "mirrors: {c: [}");
    expect([files.apply(), existsSync(hostsOf("a.example.com")), files.auths]).toEqual([false, true, { b: { auth: "eA==" } }]);
    writeFileSync(source, "configs: {a.example.com: {auth: {auth: eA==}, tls: {ca_file: /ca.pem}}}\n");
    expect([files.apply(), existsSync(hostsOf("a.example.com")), readlinkSync(join(directory, "a.example.com/ca.crt"))]).toEqual([true, false, "/ca.pem"]);
    writeFileSync(source, "# nothing any more\n");
    expect([files.apply(), existsSync(join(directory, "a.example.com")), files.auths]).toEqual([true, false, {}]);
  });
});
