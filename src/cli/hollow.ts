import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { hollowNodes } from "../../agents/hollow/hollow.ts";
import type { NodeShape } from "../../agents/hollow/node-shape.ts";
import { systemClock } from "../base/clock.ts";
import { parseGoDuration } from "../base/go-duration.ts";
import { configureLogging, logger } from "../base/log.ts";
import { parseQuantity } from "../apimachinery/quantity.ts";
import { events } from "../apis/core/event.ts";
import type { Taint } from "../apis/generated/core/v1.ts";
import { createHttpClient, type HttpClientOptions } from "../client/http-client.ts";
import { createReflectingInformers } from "../client/reflecting-informers.ts";
import { createEventRecorder } from "../client/recorder.ts";
import { readKubeconfig } from "../server/read-kubeconfig.ts";
import { UsageError } from "../server/settings.ts";

interface Flags {
  nodes: string;
  kubeconfig?: string;
  server?: string;
  token?: string;
  certificateAuthority?: string;
  namePrefix: string;
  firstIndex: string;
  cpu: string;
  memory: string;
  pods: string;
  extendedResource: string[];
  label: string[];
  taint: string[];
  zone: string[];
  startDelay: string;
  unknownImage: string[];
  cleanUp?: boolean;
}

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

export function addHollowCommand(program: Command): void {
  program.command("hollow").description("Play nodes that are not there: they accept pods and walk them through their phases without running anything (for load tests)")
    .requiredOption("--nodes <number>", "how many nodes")
    .option("--kubeconfig <file>", "the server and the credentials for it")
    .option("--server <url>", "the API server, instead of the kubeconfig's")
    .option("--token <token>", "a bearer token, instead of the kubeconfig's credentials")
    .option("--certificate-authority <file>", "the authority of the server's certificate (PEM), instead of the kubeconfig's")
    .option("--name-prefix <prefix>", "nodes are called <prefix>0, <prefix>1, …", "hollow-")
    .option("--first-index <number>", "the number of the first node", "0")
    .option("--cpu <quantity>", "CPU of each node", "4")
    .option("--memory <quantity>", "memory of each node", "8Gi")
    .option("--pods <number>", "how many pods each node takes", "110")
    .option("--extended-resource <name=quantity>", "a resource of each node, such as example.com/foo=2 (may be repeated)", collect, [])
    .option("--label <key=value>", "a label of each node (may be repeated)", collect, [])
    .option("--taint <key=value:effect>", "a taint of each node (may be repeated)", collect, [])
    .option("--zone <name>", "zones, which nodes are in by turns (may be repeated)", collect, [])
    .option("--start-delay <duration>", "how long a pod takes from its binding to its first container", "0s")
    .option("--unknown-image <text>", "images with this in their name can't be pulled, instead of those called invalid, nonexistent or does-not-exist (may be repeated)", collect, [])
    .option("--clean-up", "delete the nodes when asked to stop")
    .action(runHollow);
}

async function runHollow(flags: Flags): Promise<void> {
  configureLogging({ level: "info", format: "text" });
  const shapes = nodeShapes(flags);
  const startDelay = parsed("--start-delay", flags.startDelay, parseGoDuration);
  const connection = connectionOf(flags);
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop.abort());
  const client = createHttpClient({ ...connection, userAgent: "skiff-hollow" });
  const informers = createReflectingInformers({ client, clock: systemClock }, stop.signal);
  const recorder = createEventRecorder({ client, events, component: "kubelet", clock: systemClock }, stop.signal);
  const { unknownImage } = flags;
  const knownImage = unknownImage.length > 0 ? (image: string) => !unknownImage.some((text) => image.includes(text)) : undefined;
  const hollow = hollowNodes({ client, informers, clock: systemClock, nodes: shapes, recorder, startDelay, ...(knownImage ? { knownImage } : {}) });
  const log = logger("hollow");
  void hollow.ready.then(() => log.info("All hollow nodes are ready", { nodes: shapes.length }));
  await hollow.run(stop.signal);
  await informers.stopped();
  if (flags.cleanUp) for (const { name } of shapes) await hollow.removeNode(name);
}

function nodeShapes(flags: Flags): NodeShape[] {
  const count = wholeNumber("--nodes", flags.nodes), first = wholeNumber("--first-index", flags.firstIndex);
  wholeNumber("--pods", flags.pods);
  const resources = { cpu: flags.cpu, memory: flags.memory, pods: flags.pods, ...pairs("--extended-resource", flags.extendedResource) };
  for (const [name, amount] of Object.entries(resources)) parsed(name.includes("/") ? "--extended-resource" : `--${name}`, amount, parseQuantity);
  const labels = pairs("--label", flags.label), taints = flags.taint.map(parseTaint);
  return Array.from({ length: count }, (_, i) => ({
    name: `${flags.namePrefix}${first + i}`, labels, taints, resources, ...(flags.zone.length > 0 ? { zone: flags.zone[i % flags.zone.length]! } : {}),
  }));
}

function connectionOf({ kubeconfig, server, token, certificateAuthority }: Flags): HttpClientOptions {
  if (!kubeconfig && !(server && token)) throw new UsageError("say where the API server is: --kubeconfig, or --server with --token");
  const config = kubeconfig ? readKubeconfig(kubeconfig, "--kubeconfig") : undefined;
  const ca = certificateAuthority ? readText("--certificate-authority", certificateAuthority) : config?.ca;
  const bearer = token ?? config?.token;
  const pair = config?.certificate && config.key && !token ? { cert: config.certificate, key: config.key } : {};
  return { server: server ?? config!.server, tls: { ...(ca ? { ca } : {}), ...pair }, ...(bearer ? { token: () => bearer } : {}) };
}

function readText(flag: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`${flag} ${file} can't be read: ${(error as Error).message}`, { cause: error });
  }
}

function wholeNumber(flag: string, text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new UsageError(`${flag} must be a whole number, not ${JSON.stringify(text)}`);
  return Number(text);
}

function parsed<T>(flag: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    throw new UsageError(`${flag} ${JSON.stringify(text)}: ${(error as Error).message}`, { cause: error });
  }
}

function pairs(flag: string, texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(texts.map((text) => {
    const at = text.indexOf("=");
    if (at < 1) throw new UsageError(`${flag} must be name=value, not ${JSON.stringify(text)}`);
    return [text.slice(0, at), text.slice(at + 1)];
  }));
}

function parseTaint(text: string): Taint {
  const match = /^([^=:]+)(?:=([^:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)$/.exec(text);
  if (!match) throw new UsageError(`--taint must be key=value:effect, not ${JSON.stringify(text)}`);
  return { key: match[1]!, ...(match[2] ? { value: match[2] } : {}), effect: match[3] as Taint["effect"] };
}
