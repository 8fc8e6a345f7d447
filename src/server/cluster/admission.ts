import { createHash, timingSafeEqual } from "node:crypto";
import { badRequest, forbidden, methodNotAllowed, serviceUnavailable, unauthorized } from "../../apimachinery/status.ts";
import { isObject } from "../../apimachinery/own.ts";
import type { HttpHandler } from "../../base/http.ts";
import { logger } from "../../base/log.ts";
import type { EtcdClient } from "../../storage/etcd/etcd-client.ts";
import { type Outcome, disagreement } from "./agreement.ts";
import type { Files } from "./sealed-files.ts";

const log = logger("servers");
/** `POST` of a `ServerQuestion` with the server token as bearer: answered with a `ServerAnswer`, after which the cluster waits for that member. */
export const serversPath = "/v1-skiff/servers";

export interface ServerQuestion {
  /** Of the server, and its member. */
  name: string;
  peerUrl: string;
  /** What comes of what it was given, of what all servers have alike. */
  given?: Outcome;
}

export interface ServerAnswer {
  /** What makes servers one cluster, below `<data-dir>/server`. */
  files: Files;
  /** As etcd wants it: `name=url,…`, the new one among them. */
  initialCluster: string;
  /** Where the others answer clients. */
  endpoints: string[];
}

export interface AdmissionDependencies {
  client: EtcdClient;
  files(): Files;
  /** What a server joins by; tokens for agents don't do. */
  secret(): string;
  /** Names of servers that live. */
  live(): readonly string[];
  /** Whether an agent is the node of this name. */
  isAgent(name: string): boolean;
  /** What all servers have alike. */
  outcome(): Outcome;
}

/**
 * Takes in a server: its member is added as a learner, which counts in no vote until it has all data. One of its name or address that is there is
 * another time's, and goes, unless its server runs.
 */
export function admissionHandler({ client, files, secret, live, isAgent, outcome }: AdmissionDependencies): HttpHandler {
  return async (request, response) => {
    if (request.method !== "POST") throw methodNotAllowed();
    const token = /^Bearer (\S+)$/i.exec((request.headers["authorization"] ?? "").trim())?.[1];
    if (!token || !same(token, secret())) throw unauthorized('the token is not the server token of this cluster: take it from "skiff token" on a server; one for agents doesn\'t join servers');
    const { name, peerUrl, given = {} } = parse(await request.body());
    const otherwise = disagreement(given, outcome());
    if (otherwise) throw badRequest(otherwise);
    if (live().includes(name)) throw forbidden({ group: "", resource: "servers" }, name, "a server of this name runs: give this one another --node-name; if that one was lost just now, try again in half a minute");
    if (isAgent(name)) throw forbidden({ group: "", resource: "servers" }, name, `an agent has this name: give this server another --node-name; if it was that agent, run "kubectl delete node ${name}" first`);
    const { members: before = [] } = await client.call("MemberList", {}, { repeatable: true });
    const there = before.find((each) => each.name !== name && each.peerUrls.includes(peerUrl) && live().includes(each.name ?? ""));
    if (there) throw forbidden({ group: "", resource: "servers" }, name, `the server ${there.name} runs at this address, ${peerUrl}: give this one an --advertise-address of its own`);
    for (const member of before.filter((each) => each.name === name || each.peerUrls.includes(peerUrl))) {
      log.info("A member makes room for one that joins anew", { server: name, member: member.id });
      await client.call("MemberRemove", { id: member.id }, { repeatable: false });
    }
    const { member, members } = await client.call("MemberAdd", { peerUrls: [peerUrl], isLearner: true }, { repeatable: false }).catch((error: unknown) => {
      throw serviceUnavailable(`no server can join now (${(error as Error).message}): one at a time can, while most servers run`);
    });
    const others = members.filter(({ id }) => id !== member.id);
    const answer: ServerAnswer = {
      files: files(), endpoints: others.flatMap(({ clientUrls = [] }) => clientUrls),
      initialCluster: [...others.filter((each) => each.name).map((each) => [each.name!, each.peerUrls] as const), [name, [peerUrl]] as const].flatMap(([of, urls]) => urls.map((url) => `${of}=${url}`)).join(),
    };
    log.info("A server joins", { server: name, address: request.remoteAddress });
    response.send(200, { "Content-Type": "application/json" }, JSON.stringify(answer));
  };
}

function parse(body: Uint8Array): ServerQuestion {
  let content: unknown;
  try {
    content = JSON.parse(Buffer.from(body).toString());
  } catch {}
  if (!isObject(content) || !/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(String(content["name"])) || !/^https:\/\/[0-9a-f.:[\]]+:\d+$/.test(String(content["peerUrl"]))) throw badRequest("name and peerUrl must be a server's: is it of this version?");
  return { name: String(content["name"]), peerUrl: String(content["peerUrl"]), ...(isObject(content["given"]) ? { given: content["given"] as Outcome } : {}) };
}

function same(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
