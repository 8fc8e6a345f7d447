import { afterEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serverSettings, type SettingValues } from "./options.ts";
import { parseServerOptions } from "./parse-options.ts";
import { readSettings } from "./settings.ts";

const directories: string[] = [];
afterEach(() => directories.splice(0).forEach((d) => rmSync(d, { recursive: true })));

function read({ flags = {}, environment = {}, files = {} }: { flags?: SettingValues; environment?: Record<string, string>; files?: Record<string, string> }) {
  const directory = mkdtempSync(join(tmpdir(), "skiff-config-"));
  directories.push(directory);
  mkdirSync(join(directory, "config.yaml.d"));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
  return readSettings(serverSettings, { flags, environment, configFile: join(directory, "config.yaml"), configRequired: false });
}
const host = { hostname: () => "Edge-1" };
const parse = (sources: Parameters<typeof read>[0]) => parseServerOptions(read(sources), host);

test("a flag wins over the environment, that over drop-ins, those over the file, that over the default", () => {
  const files = { "config.yaml": "node-name: file\nlog-level: debug\ncluster-domain: file.example", "config.yaml.d/10.yaml": "node-name: dropin\ncluster-domain: dropin.example" };
  expect(read({ files })["node-name"]).toBe("dropin");
  const values = read({ files, environment: { SKIFF_NODE_NAME: "env", SKIFF_CLUSTER_DOMAIN: "" }, flags: { "node-name": "flag" } });
  expect(values).toMatchObject({ "node-name": "flag", "cluster-domain": "dropin.example", "log-level": "debug", "https-listen-port": 6443 });
});

test("defaults are worked out from the host", () => {
  expect(parse({})).toMatchObject({ nodeName: "edge-1", nodeIps: [], clusterCidrs: ["10.42.0.0/16"], clusterDns: ["10.43.0.10"], nodePortRange: { first: 30000, last: 32767 }, writeKubeconfigMode: 0o600 });
});

test("where node ports answer", () => {
  expect(parse({}).nodePortAddresses).toBe("primary");
  expect(parse({ flags: { "nodeport-addresses": ["192.168.7.9/16", "FD00::/8"] } }).nodePortAddresses).toEqual(["192.168.0.0/16", "fd00::/8"]);
  for (const wrong of [["eth0"], ["primary", "10.0.0.0/8"]]) expect(() => parse({ flags: { "nodeport-addresses": wrong } })).toThrow("--nodeport-addresses must be networks such as 192.168.0.0/16, or \"primary\" alone");
});

test("both families, in either order", () => {
  const flags = { "cluster-cidr": ["fd00:42::/56", "10.42.0.0/16"], "service-cidr": ["fd00:43::/112", "10.43.0.0/16"], "node-ip": ["2001:DB8:0::7", "192.0.2.7"] };
  expect(parse({ flags })).toMatchObject({ clusterCidrs: flags["cluster-cidr"], serviceCidrs: flags["service-cidr"], clusterDns: ["fd00:43::a", "10.43.0.10"], nodeIps: ["2001:db8::7", "192.0.2.7"] });
  expect(parse({ environment: { SKIFF_CLUSTER_CIDR: "fd00:42::/56", SKIFF_SERVICE_CIDR: "fd00:43::/112" } })).toMatchObject({ clusterCidrs: ["fd00:42::/56"], clusterDns: ["fd00:43::a"] });
});

test("a file of comments, or an empty one, says nothing", () => {
  for (const text of ["", "# nothing yet\n", "\n  # a\n\n"]) expect(read({ files: { "config.yaml": text } })["https-listen-port"]).toBe(6443);
});

test("lists come from YAML lists, repeated flags and comma-separated variables", () => {
  expect(parse({ files: { "config.yaml": "tls-san:\n  - a.example\n  - 10.0.0.1\nnode-label: [zone=a, \"role=\"]" } })).toMatchObject({ tlsSan: ["a.example", "10.0.0.1"], nodeLabels: { zone: "a", role: "" } });
  expect(parse({ environment: { SKIFF_TLS_SAN: "a, b" } }).tlsSan).toEqual(["a", "b"]);
  expect(parse({ environment: { SKIFF_NODE_TAINT: "dedicated=db:NoExecute,quiet:NoSchedule" } }).nodeTaints).toEqual([{ key: "dedicated", value: "db", effect: "NoExecute" }, { key: "quiet", effect: "NoSchedule" }]);
});

describe("mistakes are told in one sentence", () => {
  const cases: [string, Parameters<typeof read>[0], RegExp][] = [
    ["unknown key", { files: { "config.yaml": "nod-name: x" } }, /unknown setting "nod-name".*--help/],
    ["K3s' key", { files: { "config.yaml": "etcd-s3-bucket: x" } }, /unknown setting "etcd-s3-bucket": what K3s calls etcd-s3-bucket is backup-s3-bucket here$/],
    ["bad YAML", { files: { "config.yaml": "a: [1" } }, /config\.yaml is not valid YAML/],
    ["not a mapping", { files: { "config.yaml": "- a" } }, /name: value/],
    ["port", { flags: { "https-listen-port": 70000 } }, /--https-listen-port must be a port number/],
    ["word for a number", { environment: { SKIFF_HTTPS_LISTEN_PORT: "http" } }, /SKIFF_HTTPS_LISTEN_PORT must be a whole number/],
    ["overlap", { flags: { "service-cidr": ["10.42.128.0/20"] } }, /overlap/],
    ["small network", { flags: { "cluster-cidr": ["10.42.0.0/28"] } }, /take a \/24/],
    ["three networks", { flags: { "cluster-cidr": ["10.42.0.0/16", "fd00::/56", "fd01::/56"] } }, /names two networks of one family/],
    ["other families", { flags: { "cluster-cidr": ["10.42.0.0/16", "fd00:42::/56"] } }, /must be of the same families in the same order, not IPv4, IPv6 and IPv4/],
    ["other order", { flags: { "cluster-cidr": ["10.42.0.0/16", "fd00:42::/56"], "service-cidr": ["fd00:43::/112", "10.43.0.0/16"] } }, /not IPv4, IPv6 and IPv6, IPv4/],
    ["overlap in IPv6", { flags: { "cluster-cidr": ["fd00::/48"], "service-cidr": ["fd00::/112"] } }, /overlap/],
    ["no node address", { flags: { "node-ip": ["eth0"] } }, /--node-ip must be an IP address/],
    ["two node addresses of one family", { flags: { "node-ip": ["192.0.2.1", "192.0.2.2"] } }, /--node-ip 192\.0\.2\.1,192\.0\.2\.2 names two of one family/],
    ["IPv6 loopback advertised", { flags: { "advertise-address": "::1" } }, /--advertise-address ::1 is this machine's own loopback/],
    ["DNS outside", { flags: { "cluster-dns": ["10.99.0.10"] } }, /must be inside --service-cidr/],
    ["loopback advertised", { flags: { "advertise-address": "127.0.0.1" } }, /--advertise-address 127\.0\.0\.1 is this machine's own loopback.*name an address of this machine's network/],
    ["nothing advertised", { flags: { "advertise-address": "0.0.0.0" } }, /--advertise-address 0\.0\.0\.0 is no address/],
    ["relative path", { flags: { "data-dir": "data" } }, /--data-dir must be an absolute path/],
    ["taint", { environment: { SKIFF_NODE_TAINT: "x" } }, /key=value:NoSchedule/],
    ["mode as a YAML number", { files: { "config.yaml": "write-kubeconfig-mode: 640" } }, /in quotes/],
    ["node name", { flags: { "node-name": "a_b" } }, /--node-name/],
  ];
  test.each(cases)("%s", (_, sources, message) => {
    expect(() => parse(sources)).toThrow(message);
    expect(() => parse(sources)).toThrow(expect.objectContaining({ name: "UsageError" }));
  });
});

test("parts to leave out are named as K3s names them", () => {
  expect(parse({}).disable).toEqual([]);
  expect(parse({ files: { "config.yaml": "disable: [servicelb, local-storage]" } }).disable).toEqual(["servicelb", "local-storage"]);
  expect(() => parse({ environment: { SKIFF_DISABLE: "servicelb,traefik" } })).toThrow("--disable must be one of servicelb, local-storage, metrics-server, ingress, not \"traefik\"");
});
