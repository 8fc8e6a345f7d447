import { X509Certificate } from "node:crypto";
import type { Clock } from "../../src/base/clock.ts";
import { Backoff } from "../../src/base/backoff.ts";
import { caPath, clusterPath, enrolPath, identities, type ClusterAnswer, type ClusterQuestion, type Enrolment, type EnrolmentRequest, type IdentityName } from "../../src/base/join/enrolment.ts";
import type { JoinToken } from "../../src/base/join/join-token.ts";
import { logger } from "../../src/base/log.ts";
import { proxyOption } from "../../src/base/proxy/environment.ts";
import { newCertificateRequest } from "./certificate-request.ts";
import { caHash, type KeyPair, type Membership, type MembershipStore } from "./membership.ts";
import type { ServerList } from "./server-list.ts";

export interface EnrolOptions {
  store: MembershipStore;
  servers: ServerList;
  nodeName: string;
  /** For the serving certificate; asked at each attempt. */
  addresses(): readonly string[];
  token?: JoinToken;
  clock: Clock;
}

const log = logger("join");
/** A server that has not answered by then is taken for dead. */
const attemptMs = 10_000;

/** A server could not be asked; another one may be better. */
class Unreachable extends Error {}

/**
 * Enrols with whichever server answers, and writes the membership. Tries again for as long as it takes: a server that is down comes back,
 * and what an administrator has to mend may be mended there. Rejects only when `signal` aborts.
 */
export async function enrolUntilDone(options: EnrolOptions, signal: AbortSignal): Promise<Membership> {
  const { clock, servers, nodeName } = options;
  const backoff = new Backoff({ base: 500, max: 30_000, jitter: 0.3 });
  const isNode = options.store.read()?.nodeName === nodeName;
  const [waiting, failed] = isNode ? ["Waiting for the server to renew the certificates", "The certificates could not be renewed, will try again"] : ["Waiting for the server to join", "This machine could not join, will try again"];
  let told = "";
  for (;;) {
    const { url, givenUp } = servers.current;
    try {
      return await enrolOnce(options, url, signal);
    } catch (error) {
      signal.throwIfAborted();
      const reason = (error as Error).message;
      if (error instanceof Unreachable) {
        servers.failed(givenUp);
        if (reason !== told) log.warn(waiting, { server: url, node: nodeName, reason });
      } else if (reason !== told) log.error(failed, { server: url, node: nodeName, reason });
      told = reason;
      await clock.sleep(backoff.next(), signal);
    }
  }
}

/** One attempt with one server. The error's message tells the administrator what to do. */
export async function enrolOnce({ store, nodeName, token, ...options }: Omit<EnrolOptions, "servers" | "clock">, url: string, signal: AbortSignal): Promise<Membership> {
  const addresses = [...options.addresses()];
  const before = store.read();
  const serverCa = await pinnedCa(url, before, token, signal);
  const made = await Promise.all(identities.map(async (name) => [name, await newCertificateRequest(`system:node:${nodeName}`)] as const));
  const requests = Object.fromEntries(made.map(([name, { request }]) => [name, request])) as EnrolmentRequest["requests"];
  const body: EnrolmentRequest = { nodeName, nodePassword: store.password(), addresses, requests };
  // A node that lay in a drawer has a certificate that ended; its password speaks for it.
  const own = before?.nodeName === nodeName ? { cert: before.pairs.kubelet.certificate, key: before.pairs.kubelet.key } : {};
  const answer = await ask(url + enrolPath, {
    method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token.secret}` } : {}) },
    tls: { ca: serverCa, ...own },
  }, signal);
  const text = await answer.text();
  if (answer.status === 503) throw new Unreachable(`${url} is not ready: ${refusal(answer.status, text).message}`);
  if (!answer.ok) throw refusal(answer.status, text);
  const { certificates, clientCa, cluster, servers: told } = JSON.parse(text) as Enrolment;
  const pairs = Object.fromEntries(made.map(([name, { key }]) => [name, { certificate: certificates[name], key }])) as Record<IdentityName, KeyPair>;
  const membership = { nodeName, serverCa, clientCa, pairs, addresses, cluster, server: url, servers: told };
  store.write(membership);
  if (!before && token?.caHash === undefined) log.warn("The token did not name the CA: this server's was trusted unseen. A token that begins with K10, as \"skiff token\" prints it, is checked", { server: url, caHash: caHash(serverCa) });
  log.info("This machine has its certificates", { server: url, node: nodeName });
  return membership;
}

/** What the cluster is like now, as a server tells a node that it knows. Rejects with `NameTaken` when another machine is that node by now. */
export async function askCluster(url: string, { serverCa, pairs: { kubelet } }: Membership, nodePassword: string, signal: AbortSignal): Promise<ClusterAnswer> {
  const body = JSON.stringify({ nodePassword } satisfies ClusterQuestion);
  const answer = await ask(url + clusterPath, { method: "POST", body, headers: { "content-type": "application/json" }, tls: { ca: serverCa, cert: kubelet.certificate, key: kubelet.key } }, signal);
  if (answer.ok) return await answer.json() as ClusterAnswer;
  const { message } = refusal(answer.status, await answer.text());
  throw answer.status === 403 ? new NameTaken(message) : new Error(message);
}

/** This machine's name has been given to another. */
export class NameTaken extends Error {}

/** The authority that the token names, or that was believed before. Without either the first one seen is trusted, and said so. */
async function pinnedCa(url: string, before: Membership | undefined, token: JoinToken | undefined, signal: AbortSignal): Promise<string> {
  if (before) {
    const pinned = caHash(before.serverCa);
    if (token?.caHash && token.caHash !== pinned) throw new Error(`this machine is a node of the cluster with the CA ${pinned}, and the token is for the one with ${token.caHash}: to move it, uninstall it or remove its agent directory first; to leave it where it is, take the token away`);
    return before.serverCa;
  }
  const answer = await ask(url + caPath, { tls: { rejectUnauthorized: false } }, signal);
  const pem = firstCertificate(await answer.text());
  if (!answer.ok || pem === undefined) throw new Error(`${url} is no Skiff server: it answers ${caPath} with ${answer.status} and no certificate; correct --server`);
  const hash = caHash(pem);
  if (token?.caHash !== undefined && token.caHash !== hash) throw new Error(`${url} has the CA ${hash}, and the token is for the one with ${token.caHash}: take the token from that server ("skiff token"), or correct --server; if both are right, somebody stands between`);
  return pem;
}

/** Alone: what else is sent beside the authority that the token names is not believed with it. */
function firstCertificate(text: string): string | undefined {
  try {
    return new X509Certificate(text).toString();
  } catch {
    return undefined;
  }
}

async function ask(url: string, init: BunFetchRequestInit, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, { ...init, ...proxyOption(url), redirect: "error", keepalive: false, signal: AbortSignal.any([signal, AbortSignal.timeout(attemptMs)]) });
  } catch (error) {
    throw explained(new URL(url).origin, error as NodeJS.ErrnoException);
  }
}

/** What a failed connection says to who has to mend it. */
function explained(server: string, cause: NodeJS.ErrnoException): Error {
  const { code = "", message } = cause;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return new Unreachable(`the certificate of ${server} is not for that address: start the server with --tls-san ${new URL(server).hostname}, or name it as it is called in its certificate`, { cause });
  if (/CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/.test(code)) return new Unreachable(`the certificate of ${server} is not valid by this machine's clock, which shows ${new Date().toISOString().slice(0, 10)}: set the clock; if it is right, restart the server, which renews its certificate then`, { cause });
  if (/CERT|UNABLE_TO|SELF_SIGNED/.test(code)) return new Unreachable(`${server} shows a certificate that this cluster's CA has not signed (${code}): correct --server; if it is right, the server was made anew, and this machine joins the new one once it was uninstalled`, { cause });
  const why: Record<string, string> = { ECONNREFUSED: "the connection was refused", ENOTFOUND: "the name is not known" };
  return new Unreachable(`${server} does not answer (${cause.name === "TimeoutError" ? "not in time" : why[code] ?? message})`, { cause });
}

function refusal(status: number, text: string): Error {
  let message = text.slice(0, 500);
  try {
    message = (JSON.parse(text) as { message?: string }).message ?? message;
  } catch {
    // Not a Status: something in between.
  }
  return new Error(message || `the server answered ${status}`);
}
