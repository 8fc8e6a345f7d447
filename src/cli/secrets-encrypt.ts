import type { Command } from "commander";
import { systemClock } from "../base/clock.ts";
import type { EncryptionAction } from "../server/encryption/config.ts";
import { encryptionPath, type ToldStatus } from "../server/encryption/handler.ts";
import { UsageError } from "../server/settings.ts";
import { adminRequest } from "./admin-request.ts";
import { dataDirOption } from "./data-dir.ts";

interface Where {
  dataDir: string;
  kubeconfig?: string;
}

export function addSecretsEncryptCommand(program: Command): void {
  const command = program.command("secrets-encrypt").description("Encrypt Secrets in the database, or no longer; while the server runs");
  const sub = (name: string, description: string): Command => command.command(name).description(description)
    .addOption(dataDirOption())
    .option("--kubeconfig <file>", "the administrator's kubeconfig (default: the one the server wrote)");
  sub("status", "Tell what is encrypted, with which key, and whether all of the disk is up to date")
    .action(async (where: Where) => print(await ask(where)));
  const changing = (action: EncryptionAction, description: string): Command => sub(action, description)
    .option("--timeout <seconds>", "wait so long until all of the disk is up to date; it goes on by itself after that", "300")
    .action(async ({ timeout, ...where }: Where & { timeout: string }) => print(await change(where, action, timeout)));
  changing("enable", "Encrypt Secrets: new ones at once, then those there are");
  changing("disable", "Write Secrets in plain again");
  changing("rotate-keys", "Encrypt all Secrets with a new key, and forget the old one");
}

const ask = async (where: Where, action?: EncryptionAction): Promise<ToldStatus> =>
  (await (await adminRequest({ ...where, path: encryptionPath, ...(action ? { method: "POST", body: { action } } : { method: "GET" }) })).json()) as ToldStatus;

async function change(where: Where, action: EncryptionAction, timeout: string): Promise<ToldStatus> {
  const seconds = Number(timeout);
  if (!(seconds >= 0)) throw new UsageError(`--timeout must be a number of seconds, not ${JSON.stringify(timeout)}`);
  const deadline = systemClock.monotonic() + seconds * 1000;
  let status = await ask(where, action);
  while ((status.stage !== "finished" || status.behind.length > 0) && systemClock.monotonic() < deadline) {
    await systemClock.sleep(200);
    status = await ask(where);
  }
  return status;
}

function print({ enabled, enabledAtStart, resources, keys, stage, behind, problem }: ToldStatus): void {
  const lines = [
    `Encryption   ${enabled ? `enabled (${resources.join(", ")})` : "disabled"}`,
    `On disk      ${stage === "finished" ? "up to date" : "being brought up to date"}`,
    ...keys.map(({ name, created, active }) => `Key          ${name}  AES-256-GCM  ${active ? "encrypts" : "decrypts"}  made ${created}`),
    ...(stage !== "finished" && problem ? [`Problem      ${problem}; it is tried again`] : []),
    ...(!enabled && enabledAtStart ? ["Next start   encrypts again, for secrets-encryption is among the server's settings: take it out there"] : []),
    ...(behind.length > 0 ? [`Unaware      ${behind.join(", ")}: what these servers would still write by older keys is refused`] : []),
  ];
  process.stdout.write(lines.map((line) => `${line}\n`).join(""));
}
