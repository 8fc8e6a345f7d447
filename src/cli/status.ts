import { existsSync, readFileSync } from "node:fs";
import type { Command } from "commander";
import { load } from "js-yaml";
import { openMembership } from "../../agents/join/membership.ts";
import { systemClock } from "../base/clock.ts";
import { readIfExists } from "../base/files.ts";
import { UsageError } from "../server/settings.ts";
import { layoutOf } from "../server/layout.ts";
import { roleLabel } from "../server/node-role.ts";
import { whyUnanswered } from "./admin-request.ts";
import { dataDirOption } from "./data-dir.ts";
import { datastoreLine } from "./datastore-line.ts";
import { recoveryLine } from "./recovery-line.ts";

interface Connection { server: string; ca: string; cert: string; key: string }

interface Report {
  /** What is still missing, in words; empty when all is well. */
  missing: string;
  lines: string[];
}

export function addStatusCommand(program: Command): void {
  program.command("status").description("Tell whether the server answers and its node is ready; on an agent, whether it has joined and is ready")
    .option("--kubeconfig <file>", "the administrator's kubeconfig (default: the one the server wrote)")
    .addOption(dataDirOption())
    .option("--wait <seconds>", "wait until all is ready, with progress", "0")
    .action(async (options: { kubeconfig?: string; dataDir: string; wait: string }) => {
      const seconds = Number(options.wait);
      if (!(seconds >= 0)) throw new UsageError(`--wait must be a number of seconds, not ${JSON.stringify(options.wait)}`);
      const report = await waitUntilReady(() => inspect(options), seconds * 1000);
      process.stdout.write(report.lines.map((line) => `${line}\n`).join(""));
      if (report.missing) throw new UsageError(report.missing);
    });
}

async function waitUntilReady(look: () => Promise<Report>, ms: number): Promise<Report> {
  const deadline = systemClock.monotonic() + ms;
  let told = "";
  for (;;) {
    const report = await look();
    if (!report.missing || systemClock.monotonic() >= deadline) return report;
    if (report.missing !== told) process.stderr.write(`    waiting: ${told = report.missing}\n`);
    await systemClock.sleep(300);
  }
}

async function inspect({ kubeconfig, dataDir }: { kubeconfig?: string; dataDir: string }): Promise<Report> {
  const file = kubeconfig ?? readIfExists(`${dataDir}/server/kubeconfig-path`)?.trim();
  if (!file && existsSync(`${dataDir}/agent/join`)) return inspectAgent(`${dataDir}/agent/join`);
  if (!file || readIfExists(file) === undefined) return { missing: existsSync(`${dataDir}/server`) ? "the server has not written its kubeconfig yet" : `nothing has run with ${dataDir} yet: start Skiff, or name its directory with --data-dir`, lines: [] };
  const connection = readConnection(file);
  try {
    const version = (await get(connection, "/version")) as { gitVersion: string };
    const ready = await fetchFrom(connection, "/readyz");
    if (!ready.ok) return { missing: `the API server is not ready yet: ${(await ready.text()).split("\n").filter((line) => line.startsWith("[-]")).join(", ") || ready.status}`, lines: [] };
    const { items } = (await get(connection, "/api/v1/nodes")) as { items: Parameters<typeof nodeLine>[0][] };
    const datastore = datastoreLine(await (await fetchFrom(connection, "/metrics")).text());
    const recovery = kubeconfig === undefined ? recoveryLine(layoutOf(dataDir).databaseFile) : undefined;
    const lines = [`API server   ${connection.server}  ${version.gitVersion}`, ...[datastore, recovery].filter((line) => line !== undefined), ...items.map(nodeLine)];
    // Machines elsewhere, other servers too, may be off without anything being wrong here.
    const name = kubeconfig === undefined ? readIfExists(`${dataDir}/server/node-name`)?.trim() : undefined;
    const own = items.filter((node) => (name === undefined ? isServers(node) : node.metadata.name === name));
    if (!own.length && name !== "") return { missing: "the node has not registered yet", lines };
    const unready = own.find((node) => !isReady(node));
    return { missing: unready ? notReady(unready) : "", lines };
  } catch (error) {
    return { missing: `the API server does not answer at ${connection.server} (${whyUnanswered(error)})`, lines: [] };
  }
}

/** An agent may look at its own node and at no other. */
async function inspectAgent(directory: string): Promise<Report> {
  const membership = openMembership(directory).read();
  if (!membership) return { missing: "this machine has not joined yet: its log says what it waits for", lines: [] };
  const { nodeName, serverCa, pairs: { kubelet }, server: joinedBy, servers } = membership;
  let problem = "";
  for (const server of new Set([joinedBy, ...servers])) {
    try {
      const response = await fetchFrom({ server, ca: serverCa, cert: kubelet.certificate, key: kubelet.key }, `/api/v1/nodes/${nodeName}`);
      if (response.status === 404) return { missing: "the node has not registered yet", lines: [] };
      if (!response.ok) return { missing: `${server} answers ${response.status} when asked for the node`, lines: [] };
      const node = (await response.json()) as NodeView;
      return { missing: isReady(node) ? "" : notReady(node), lines: [`Server       ${server}`, nodeLine(node)] };
    } catch (error) {
      problem ||= `the server does not answer at ${server} (${whyUnanswered(error)})`;
    }
  }
  return { missing: problem, lines: [] };
}

interface NodeView { metadata: { name?: string; labels?: Record<string, string> }; status?: { conditions?: { type: string; status: string; message?: string }[]; nodeInfo?: { containerRuntimeVersion?: string } } }

const isServers = (node: NodeView): boolean => node.metadata.labels?.[roleLabel] !== undefined;
const readyCondition = (node: NodeView) => node.status?.conditions?.find((condition) => condition.type === "Ready");
const isReady = (node: NodeView): boolean => readyCondition(node)?.status === "True";
const notReady = (node: NodeView): string => `node ${node.metadata.name} is not ready yet: ${readyCondition(node)?.message ?? "it has said nothing"}`;
const nodeLine = (node: NodeView): string => `Node         ${node.metadata.name}  ${isReady(node) ? "Ready" : "NotReady"}  ${node.status?.nodeInfo?.containerRuntimeVersion ?? ""}`.trimEnd();

async function get(connection: Connection, path: string): Promise<unknown> {
  const response = await fetchFrom(connection, path);
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

function fetchFrom({ server, ca, cert, key }: Connection, path: string): Promise<Response> {
  return fetch(server + path, { tls: { ca, cert, key }, signal: AbortSignal.timeout(5000) });
}

function readConnection(file: string): Connection {
  const config = load(readFileSync(file, "utf8")) as { clusters: { cluster: Record<string, string> }[]; users: { user: Record<string, string> }[] };
  const cluster = config.clusters[0]!.cluster;
  const user = config.users[0]!.user;
  const text = (base64: string | undefined): string => Buffer.from(base64 ?? "", "base64").toString();
  return { server: cluster["server"]!, ca: text(cluster["certificate-authority-data"]), cert: text(user["client-certificate-data"]), key: text(user["client-key-data"]) };
}
