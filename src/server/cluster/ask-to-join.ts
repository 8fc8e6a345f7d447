import type { Clock } from "../../base/clock.ts";
import { isObject } from "../../apimachinery/own.ts";
import { caPath } from "../../base/join/enrolment.ts";
import { parseJoinToken } from "../../base/join/join-token.ts";
import { caHash } from "../pki/cluster-pki.ts";
import { UsageError } from "../settings.ts";
import { type ServerAnswer, type ServerQuestion, serversPath } from "./admission.ts";

/** For how long a cluster that can't take a server in now is asked again. */
const patienceMs = 60_000, retryMs = 2000;
/** What one answer may take: for the second question etcd is changed. */
const caMs = 10_000, answerMs = 60_000;

/** Asks a server to be one of its cluster, until `signal` aborts. Throws a `UsageError`, with nothing changed here, when it isn't that cluster or doesn't want to. */
export async function askToJoin({ server, token, question, clock }: { server: string; token: string; question: ServerQuestion; clock: Clock }, signal: AbortSignal): Promise<ServerAnswer> {
  const parsed = parseJoinToken(token);
  if (!parsed) throw new UsageError('--token is cut off or misspelt: take it from "skiff token" on a server');
  const until = clock.monotonic() + patienceMs, within = (ms: number): AbortSignal => AbortSignal.any([signal, AbortSignal.timeout(ms)]);
  for (;;) {
    const ca = await caOf(server, parsed.caHash, within(caMs));
    const response = await fetch(new URL(serversPath, server), { method: "POST", headers: { Authorization: `Bearer ${parsed.secret}`, "Content-Type": "application/json" }, body: JSON.stringify(question), tls: { ca }, signal: within(answerMs) }).catch((error: unknown) => {
      throw new UsageError(`${server} can't be asked (${(error as Error).message})`, { cause: error });
    });
    if (response.ok) return await response.json() as ServerAnswer;
    const status: unknown = await response.json().catch(() => undefined);
    const message = isObject(status) && typeof status["message"] === "string" ? status["message"] : `it answers ${response.status}`;
    if (response.status === 404) throw new UsageError(`${server} keeps its state in a way that no other server can share: start it with --cluster-init, or both with --datastore-endpoint`);
    if (response.status !== 503 || clock.monotonic() >= until) throw new UsageError(`${server} doesn't take this server in: ${message}`);
    await clock.sleep(retryMs, signal);
  }
}

async function caOf(server: string, hash: string | undefined, signal: AbortSignal): Promise<string> {
  const ca = await fetch(new URL(caPath, server), { tls: { rejectUnauthorized: false }, signal }).then((response) => response.text()).catch((error: unknown) => {
    throw new UsageError(`${server} can't be reached (${(error as Error).message}): is it the address of a server, and does that run?`, { cause: error });
  });
  let found: string;
  try {
    found = caHash(ca);
  } catch (error) {
    throw new UsageError(`${server} is no server of Skiff's`, { cause: error });
  }
  if (hash !== undefined && hash !== found) throw new UsageError(`${server} is not of the cluster that --token is for: its certificates have another authority`);
  return ca;
}
