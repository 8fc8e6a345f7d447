import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSettings } from "../server/settings.ts";
import type { SettingValues } from "../server/options.ts";
import { agentSettings, parseAgentOptions } from "./options.ts";

const directories: string[] = [];
afterEach(() => directories.splice(0).forEach((directory) => rmSync(directory, { recursive: true })));

function parse({ flags = {}, environment = {}, config = "" }: { flags?: SettingValues; environment?: Record<string, string>; config?: string }) {
  const directory = directories[directories.push(mkdtempSync(join(tmpdir(), "skiff-agent-"))) - 1]!;
  const configFile = join(directory, "config.yaml");
  writeFileSync(configFile, config);
  return parseAgentOptions(readSettings(agentSettings, { flags, environment, configFile, configRequired: true, command: "agent" }), { environment });
}
const hash = "ab".repeat(32);

test("servers come from flags, SKIFF_SERVER or SKIFF_URL, one or several", () => {
  expect(parse({ flags: { server: ["https://10.0.0.1:6443/", "https://10.0.0.2:6443", "https://10.0.0.1:6443"] }, environment: { SKIFF_URL: "https://10.0.0.9:6443" } }).servers).toEqual(["https://10.0.0.1:6443", "https://10.0.0.2:6443"]);
  expect(parse({ environment: { SKIFF_URL: "https://10.0.0.9:6443,https://[fd00::1]:6443" } }).servers).toEqual(["https://10.0.0.9:6443", "https://[fd00::1]:6443"]);
  expect(parse({ config: "server: https://edge.example:6443\n" }).servers).toEqual(["https://edge.example:6443"]);
  expect(parse({ environment: { SKIFF_SERVER: "https://10.0.0.1:6443" } }).servers).toEqual(["https://10.0.0.1:6443"]);
});

test("what a server's node has an agent has too", () => {
  const options = parse({ flags: { server: ["https://10.0.0.1:6443"] }, config: "node-name: edge-7\nnode-label: [a=b]\nnode-taint: [x=y:NoSchedule]\ndata-dir: /mnt/ssd\n" });
  expect(options).toMatchObject({ nodeName: "edge-7", nodeLabels: { a: "b" }, nodeTaints: [{ key: "x", value: "y", effect: "NoSchedule" }], dataDir: "/mnt/ssd", kubeletPort: 10250, withNodeId: false });
});

test("the token is a flag, a variable or a file's content", () => {
  const server = ["https://10.0.0.1:6443"];
  const file = join(directories[directories.push(mkdtempSync(join(tmpdir(), "skiff-agent-"))) - 1]!, "token");
  writeFileSync(file, `K10${hash}::server:from-a-file\n`);
  expect(parse({ flags: { server, token: "bare-secret" } }).token).toEqual({ secret: "bare-secret" });
  expect(parse({ flags: { server }, environment: { SKIFF_TOKEN: `K10${hash}::server:x` } }).token).toEqual({ caHash: hash, secret: "x" });
  expect(parse({ flags: { server, "token-file": file } }).token).toEqual({ caHash: hash, secret: "from-a-file" });
  expect(parse({ flags: { server } }).token).toBeUndefined();
});

test.each([
  ["no server", {}, /--server https:\/\/HOST:6443, or SKIFF_URL/],
  ["no scheme", { flags: { server: ["10.0.0.1:6443"] } }, /must look like https:/],
  ["clear text", { flags: { server: ["http://10.0.0.1:6443"] } }, /must look like https:/],
  ["a path", { flags: { server: ["https://10.0.0.1:6443/api"] } }, /must look like https:/],
  ["half a token", { flags: { server: ["https://10.0.0.1:6443"], token: `K10${hash}` } }, /K10<64 hex digits>/],
  ["a server's setting", { config: "cluster-cidr: 10.0.0.0/8\n" }, /unknown setting "cluster-cidr".*"skiff agent --help"/],
] as const)("a mistake is told in one sentence: %s", (_, sources, problem) => expect(() => parse(sources as Parameters<typeof parse>[0])).toThrow(problem));
