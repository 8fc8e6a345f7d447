import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureFile, readIfExists } from "../../base/files.ts";
import { serverSettings, type ServerOptions, type SettingValues } from "../options.ts";
import { parseServerOptions } from "../parse-options.ts";
import { withDefaults } from "../settings.ts";
import { agree, agreementFileName, disagreement, givenOutcomeOf, outcomeOf } from "./agreement.ts";

const root = mkdtempSync(join(tmpdir(), "skiff-agreement-"));
afterAll(() => rmSync(root, { recursive: true }));
let count = 0;

/** As the command line makes them. */
const optionsOf = (given: SettingValues = {}): ServerOptions => parseServerOptions({ ...withDefaults(serverSettings, given), given: Object.keys(given) }, { hostname: () => "one" });

/** A server that starts in a cluster whose first server was given `cluster`; the first one where that is undefined. */
async function start(given: SettingValues, { cluster, beside = false }: { cluster?: SettingValues; beside?: boolean } = {}): Promise<{ options: ServerOptions; shared: unknown }> {
  const directory = join(root, String(++count)), about = { directory, othersLive: async () => beside };
  if (cluster) await agree(optionsOf(cluster), about);
  const options = await agree(optionsOf(given), about);
  return { options, shared: JSON.parse(readIfExists(join(directory, agreementFileName))!) };
}

const defaults = { "cluster-cidr": ["10.42.0.0/16"], "service-cidr": ["10.43.0.0/16"], "cluster-domain": "cluster.local", "service-node-port-range": "30000-32767", "https-listen-port": 6443, "pod-network": "auto" };
const other = { "cluster-cidr": ["10.50.0.0/16"], "service-cidr": ["10.51.0.0/16"], "cluster-dns": ["10.51.0.53"], "cluster-domain": "site.example", "service-node-port-range": "31000-31999", disable: ["servicelb", "ingress"], "agent-token": "for-agents-alone", "pod-network": "vxlan" };

test("the first server says what the cluster has: defaults too, but none that depend on others", async () => {
  expect((await start({})).shared).toEqual(defaults);
  const { options, shared } = await start(other);
  expect(outcomeOf(options)).toEqual(outcomeOf(optionsOf(other)));
  expect(shared).toEqual({ ...defaults, ...other });
});

test("a server that was given nothing takes what the cluster has, and all that comes of it", async () => {
  const { options, shared } = await start({ "node-label": ["a=b"] }, { cluster: other, beside: true });
  const { cluster: _, ...rest } = options, { cluster: __, ...wanted } = optionsOf({ ...other, "node-label": ["a=b"] });
  expect(rest).toEqual(wanted);
  expect(rest.identity.serviceAccounts.issuers).toEqual(["https://kubernetes.default.svc.site.example"]);
  expect(shared).toEqual({ ...defaults, ...other });
});

test("so does one that was given the same, in whatever order, or a part of it, or what comes of the rest", async () => {
  for (const given of [{ disable: ["ingress", "servicelb"] }, { "service-cidr": ["10.51.0.0/16"] }, { "agent-token": `K10${"0".repeat(64)}::node:for-agents-alone` }, { "service-account-issuer": ["https://kubernetes.default.svc.site.example"] }]) {
    const { options, shared } = await start(given, { cluster: other, beside: true });
    expect(outcomeOf(options)).toEqual(outcomeOf(optionsOf(other)));
    expect(shared).toEqual({ ...defaults, ...other });
  }
});

test.each<[SettingValues, SettingValues, string]>([
  [{ "cluster-cidr": ["10.44.0.0/16"] }, {}, "--cluster-cidr 10.44.0.0/16 is not what the cluster's other servers have, 10.42.0.0/16: leave it out"],
  [{ "cluster-cidr": ["10.42.0.0/16"] }, { "cluster-cidr": ["10.44.0.0/16"] }, "--cluster-cidr 10.42.0.0/16 is not"],
  [{ "cluster-dns": ["10.43.0.53"] }, {}, "--cluster-dns 10.43.0.53 is not what the cluster's other servers have, 10.43.0.10"],
  [{ "service-node-port-range": "30000-30099" }, {}, "--service-node-port-range 30000-30099 is not what the cluster's other servers have, 30000-32767"],
  [{ disable: ["ingress"] }, {}, '--disable ingress is not what the cluster\'s other servers have, ""'],
  [{ disable: [] }, { disable: ["ingress"] }, '--disable "" is not what the cluster\'s other servers have, ingress'],
  [{ "agent-token": "another-one" }, { "agent-token": "for-agents-alone" }, "--agent-token is another than the cluster's other servers have"],
  [{ "agent-token": "another-one" }, {}, "--agent-token is another"],
  [{ "agent-token": "" }, { "agent-token": "for-agents-alone" }, "--agent-token is another"],
])("%j beside servers with %j is refused", async (given, cluster, sentence) => {
  await expect(start(given, { cluster, beside: true })).rejects.toThrow(sentence);
  // One that asks to join sends what it was given.
  expect(disagreement(JSON.parse(JSON.stringify(givenOutcomeOf(optionsOf(given)))), outcomeOf(optionsOf(cluster)))).toStartWith(sentence);
});

test("a server alone changes what the cluster has, and that alone", async () => {
  const { options, shared } = await start({ "cluster-domain": "new.example", "agent-token": "" }, { cluster: other });
  expect([options.clusterDomain, options.agentToken, options.clusterCidrs, options.identity.serviceAccounts.issuers[0]]).toEqual(["new.example", undefined, ["10.50.0.0/16"], "https://kubernetes.default.svc.new.example"]);
  expect(shared).toEqual({ ...defaults, ...other, "cluster-domain": "new.example", "agent-token": "" });
});

test("what a server alone was given has to go together with the rest", async () => {
  await expect(start({ "cluster-cidr": ["10.51.0.0/16"] }, { cluster: other })).rejects.toThrow("overlap");
  await expect(start({ "service-cidr": ["10.60.0.0/16"] }, { cluster: other })).rejects.toThrow("--cluster-dns 10.51.0.53 must be inside --service-cidr 10.60.0.0/16");
});

test("what a cluster of before didn't say is as this server has it; a damaged file is told of, and left", async () => {
  const directory = join(root, String(++count)), file = join(directory, agreementFileName), about = { directory, othersLive: async () => true };
  ensureFile(file, JSON.stringify({ "cluster-domain": "site.example" }));
  expect(outcomeOf(await agree(optionsOf({ "https-listen-port": 7443 }), about))).toEqual(outcomeOf(optionsOf({ "cluster-domain": "site.example", "https-listen-port": 7443 })));
  ensureFile(file, "{");
  await expect(agree(optionsOf(), about)).rejects.toThrow("cred/cluster-settings.json is damaged: move it away");
  expect(readIfExists(file)).toBe("{");
});
