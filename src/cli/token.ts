import { join } from "node:path";
import type { Command } from "commander";
import { humanDuration } from "../apimachinery/resource.ts";
import { isNotFound, StatusError } from "../apimachinery/status.ts";
import { secrets } from "../apis/core/secret.ts";
import { readIfExists } from "../base/files.ts";
import { formatGoDuration, parseGoDuration } from "../base/go-duration.ts";
import { bootstrapTokenParts, parseJoinToken } from "../base/join/join-token.ts";
import type { Client } from "../client/client.ts";
import { createHttpClient } from "../client/http-client.ts";
import { type BootstrapToken, bootstrapTokenKey, newBootstrapToken, secretOfToken, tokenOfSecret } from "../server/join/bootstrap-token.ts";
import { readKubeconfig } from "../server/read-kubeconfig.ts";
import { UsageError } from "../server/settings.ts";
import { rotateToken, tokenFile } from "../server/token.ts";
import { dataDirOption } from "./data-dir.ts";

interface Where {
  dataDir: string;
  kubeconfig?: string;
}

export function addTokenCommand(program: Command): void {
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  const onServer = (command: Command): Command => command.addOption(dataDirOption());
  const withApi = (command: Command): Command => onServer(command).option("--kubeconfig <file>", "the administrator's kubeconfig (default: the one the server wrote)");
  const token = onServer(program.command("token").description("Print the token that joins a node to this server's cluster"))
    .action(({ dataDir }: Where) => print(joinToken(dataDir)));

  withApi(token.command("create").description("Make a token that joins nodes for a while, and print it"))
    .option("--ttl <duration>", "how long it is good for, such as 2h30m; 0 for ever", "24h")
    .option("--description <text>", "what it is for", "")
    .action(async (_flags, command: Command) => {
      const { ttl, description, ...where } = command.optsWithGlobals<Where & { ttl: string; description: string }>();
      print(await createToken(where, { ttl, description }));
    });
  withApi(token.command("list").description("List the tokens that `skiff token create` made and that have not ended"))
    .action(async (_flags, command: Command) => print(await listTokens(command.optsWithGlobals<Where>())));
  withApi(token.command("delete").description("Delete such tokens: nobody can join with them any more; who has joined stays"))
    .argument("<token...>", "the token, or its six characters before the dot")
    .action(async (tokens: string[], _flags, command: Command) => {
      for (const id of tokens.map(idOf)) print(await deleteToken(command.optsWithGlobals<Where>(), id));
    });
  onServer(token.command("rotate").description("Change this server's own token and print the new one; who has joined stays"))
    .option("--new-token <secret>", "the new secret (default: a random one)")
    .action((_flags, command: Command) => {
      const { dataDir, newToken } = command.optsWithGlobals<Where & { newToken?: string }>();
      print(rotateToken({ dataDir, ...(newToken === undefined ? {} : { given: newToken }) }));
    });
}

function joinToken(dataDir: string): string {
  const token = readIfExists(tokenFile(dataDir))?.trim();
  if (!token) throw new UsageError(`there is no token at ${tokenFile(dataDir)}: start "skiff server" first, or name its directory with --data-dir`);
  return token;
}

async function createToken(where: Where, { ttl, description }: { ttl: string; description: string }): Promise<string> {
  const ms = durationOf(ttl);
  const made = newBootstrapToken({ description, ...(ms === 0 ? {} : { expires: Date.now() + ms }) });
  await asked(where, (client) => client.create(secrets, secretOfToken(made)));
  return `K10${parseJoinToken(joinToken(where.dataDir))!.caHash}::${made.id}.${made.secret}`;
}

async function listTokens(where: Where): Promise<string> {
  const { items } = await asked(where, (client) => client.list(secrets, { namespace: "kube-system", fieldSelector: "type=bootstrap.kubernetes.io/token" }));
  const now = Date.now();
  const rows = items.flatMap((secret) => tokenOfSecret(secret) ?? []).map((each) => rowOf(each, now));
  return table([["TOKEN", "TTL", "EXPIRES", "USAGES", "DESCRIPTION", "EXTRA GROUPS"], ...rows]);
}

/** Without the secret: who lists tokens to see what there is need not show them to who looks over the shoulder. */
function rowOf({ id, expires, usages, description, groups }: BootstrapToken, now: number): string[] {
  const left = expires === undefined ? "<forever>" : expires <= now ? "<expired>" : humanDuration(expires - now);
  return [`${id}.<secret>`, left, expires === undefined ? "<never>" : new Date(expires).toISOString().replace(/\.\d+/, ""), usages.join(",") || "<none>", description || "<none>", groups.join(",") || "<none>"];
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join("   ").trimEnd()).join("\n");
}

async function deleteToken(where: Where, id: string): Promise<string> {
  await asked(where, (client) => client.delete(secrets, bootstrapTokenKey(id)).catch((error: unknown) => {
    if (isNotFound(error)) throw new UsageError(`there is no token ${id}: "skiff token list" shows those there are`);
    throw error;
  }));
  return `bootstrap token ${id} deleted`;
}

function idOf(text: string): string {
  const secret = parseJoinToken(text)?.secret ?? text;
  const id = bootstrapTokenParts(secret)?.id ?? secret;
  if (!/^[a-z0-9]{6}$/.test(id)) throw new UsageError(`${JSON.stringify(text)} is no bootstrap token: give its six characters before the dot, as "skiff token list" shows them`);
  return id;
}

function durationOf(text: string): number {
  let ms: number;
  try {
    ms = parseGoDuration(text);
  } catch (error) {
    throw new UsageError(`--ttl must be a duration such as 24h or 30m, not ${JSON.stringify(text)}`, { cause: error });
  }
  if (ms < 0 || (ms > 0 && ms < 1000)) throw new UsageError(`--ttl must be a second or more, or 0 for ever, not ${formatGoDuration(ms)}`);
  return ms;
}

/** Asks the running server, as its administrator. */
async function asked<T>({ dataDir, kubeconfig }: Where, ask: (client: Client) => Promise<T>): Promise<T> {
  const file = kubeconfig ?? readIfExists(join(dataDir, "server/kubeconfig-path"))?.trim();
  if (!file) throw new UsageError(`no server has run with ${dataDir}: start "skiff server" first, or name its directory with --data-dir`);
  const { server, ca, certificate, key, token } = readKubeconfig(file, "--kubeconfig");
  const tls = { ...(ca ? { ca } : {}), ...(certificate && key ? { cert: certificate, key } : {}) };
  try {
    return await ask(createHttpClient({ server, tls, ...(token ? { token: () => token } : {}), userAgent: "skiff-token", timeout: 10_000 }));
  } catch (error) {
    if (error instanceof StatusError && error.code === 503) throw new UsageError(`${error.message}: tokens are kept in the cluster, so the server has to run`, { cause: error });
    throw error;
  }
}
