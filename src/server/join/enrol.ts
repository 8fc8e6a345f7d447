import { badRequest, forbidden, isAlreadyExists, isNotFound, serviceUnavailable, type StatusError, unauthorized } from "../../apimachinery/status.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { parseCertificateRequest, type CertificateRequest } from "../../apis/certificates/pkcs10.ts";
import { secrets } from "../../apis/core/secret.ts";
import type { Node, Secret } from "../../apis/generated/core/v1.ts";
import type { HttpRequest } from "../../base/http.ts";
import { identities, type ClusterAnswer, type ClusterConfiguration, type ClusterQuestion, type Enrolment, type EnrolmentRequest, type IdentityName } from "../../base/join/enrolment.ts";
import { logger } from "../../base/log.ts";
import type { Client } from "../../client/client.ts";
import type { Lister } from "../../client/informer.ts";
import { roleLabel } from "../node-role.ts";
import { isIp, leafDays, signRequest, type KeyPair } from "../pki/certificate.ts";
import { tokenProblem } from "./join-credentials.ts";
import { forgetCommand, matchesPassword, nodePasswordKey, nodePasswordSecret } from "./node-password.ts";
import type { refusalLog } from "./refusals.ts";

export interface EnrolDependencies {
  /** May read and write Secrets of kube-system. */
  client: Client;
  nodes: Lister<Node>;
  secrets: Lister<Secret>;
  /** The cluster's own join secrets, as they are now. */
  joinSecrets(): readonly string[];
  serverCa: KeyPair;
  clientCa: KeyPair;
  /** The cluster has what every cluster has. */
  ready(): boolean;
  /** What the API server's certificate is for, its own node's name too: no agent gets one for these. */
  reservedNames(): readonly string[];
  cluster: ClusterConfiguration;
  servers(): string[];
  /** Milliseconds since the epoch. */
  now(): number;
}

const log = logger("join");
const mostBytes = 64 << 10;

/**
 * Takes a machine in as a node, or gives a node new certificates. It proves who it is by its node password once it is known; before that it
 * needs a token. Certificates are for the name that was proven, whatever the requests say. Throws a StatusError whose message is for the administrator.
 */
export async function enrol(dependencies: EnrolDependencies & { refusals: ReturnType<typeof refusalLog> }, request: HttpRequest): Promise<Enrolment> {
  const { cluster, servers, clientCa, refusals } = dependencies;
  const asked = parseRequest(await request.body());
  if (!dependencies.ready()) throw serviceUnavailable("the server is starting");
  try {
    await admit(dependencies, asked, request);
  } catch (error) {
    refusals.refused({ node: asked.nodeName, address: request.remoteAddress, error: error as Error });
    throw error;
  }
  refusals.admitted({ node: asked.nodeName, address: request.remoteAddress });
  const certificates = await sign(dependencies, asked);
  log.info("A node got its certificates", { node: asked.nodeName, address: request.remoteAddress });
  return { certificates, clientCa: clientCa.certificate, cluster, servers: servers() };
}

/**
 * Tells a node what the cluster is like, and makes sure that it still is that node: its password was forgotten with its Node, perhaps, or
 * its name was given to another machine. Throws a StatusError for the administrator.
 */
export async function tellCluster(dependencies: EnrolDependencies, request: HttpRequest): Promise<ClusterAnswer> {
  const { peer } = request;
  const nodeName = peer?.organizations.includes("system:nodes") ? /^system:node:(.+)$/.exec(peer.commonName)?.[1] : undefined;
  if (!nodeName) throw unauthorized();
  const { nodePassword } = parseJson<ClusterQuestion>(await request.body());
  if (!isPassword(nodePassword)) throw bad("nodePassword must have at least 16 characters");
  if (!dependencies.ready()) throw serviceUnavailable("the server is starting");
  const known = await readPassword(dependencies.client, nodeName);
  if (!known) mustBeNoServers(dependencies, nodeName);
  if (known ? !matchesPassword(known, nodePassword) : !(await createPassword(dependencies, nodeName, nodePassword))) throw takenName(nodeName);
  return { cluster: dependencies.cluster, servers: dependencies.servers() };
}

const refused = (nodeName: string, why: string): StatusError => forbidden({ group: "", resource: "nodes" }, nodeName, why);
const takenName = (nodeName: string): StatusError =>
  refused(nodeName, `a node of this name has joined with another password; if this is the same device flashed anew, run "${forgetCommand(nodeName)}" and it joins by itself; if it is another device, give it another --node-name, or --with-node-id`);

const isReserved = (nodeName: string): StatusError => refused(nodeName, "this is a name of the server or its own node; give this machine another with --node-name");

/** Servers' nodes have no password: such a name is no agent's, whether that server runs now or not. */
function mustBeNoServers({ reservedNames, nodes: lister }: EnrolDependencies, nodeName: string): void {
  if (reservedNames().includes(nodeName)) throw isReserved(nodeName);
  if (lister.get(nodeName)?.metadata.labels?.[roleLabel] === undefined) return;
  throw refused(nodeName, `this is the node of a server that doesn't run now; give this machine another --node-name, or, if that server is gone for good, run "kubectl delete node ${nodeName}", and it joins by itself`);
}

async function admit(dependencies: EnrolDependencies, { nodeName, nodePassword }: EnrolmentRequest, { headers, peer }: HttpRequest): Promise<void> {
  const { client, reservedNames, secrets: lister, joinSecrets, now } = dependencies;
  if (reservedNames().includes(nodeName)) throw isReserved(nodeName);
  const known = await readPassword(client, nodeName);
  if (known && matchesPassword(known, nodePassword)) return;
  const provenByCertificate = peer?.commonName === `system:node:${nodeName}` && peer.organizations.includes("system:nodes");
  if (!provenByCertificate) {
    const problem = tokenProblem(bearerOf(headers["authorization"]), { secrets: joinSecrets(), bootstrapToken: (id) => lister.get(`kube-system/bootstrap-token-${id}`), now: now() });
    if (problem) throw unauthorized(problem);
  }
  if (!known) mustBeNoServers(dependencies, nodeName);
  if (known || !(await createPassword(dependencies, nodeName, nodePassword))) throw takenName(nodeName);
}

function readPassword(client: Client, nodeName: string): Promise<Frozen<Secret> | undefined> {
  return client.get(secrets, nodePasswordKey(nodeName)).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
}

/** False when another machine of that name was faster. */
async function createPassword({ client, nodes: nodeLister }: EnrolDependencies, nodeName: string, password: string): Promise<boolean> {
  try {
    await client.create(secrets, nodePasswordSecret(nodeName, password, nodeLister.get(nodeName)));
    return true;
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    const winner = await readPassword(client, nodeName);
    return winner !== undefined && matchesPassword(winner, password);
  }
}

async function sign({ serverCa, clientCa, reservedNames, now }: EnrolDependencies, { nodeName, addresses, requests }: EnrolmentRequest): Promise<Enrolment["certificates"]> {
  const reserved = new Set(reservedNames());
  const subjects: Record<IdentityName, Pick<CertificateRequest, "subject" | "dnsNames" | "ipAddresses"> & { issuer: KeyPair; usage: string }> = {
    kubelet: { issuer: clientCa, usage: "client auth", subject: `O=system:nodes, CN=system:node:${nodeName}`, dnsNames: [], ipAddresses: [] },
    network: { issuer: clientCa, usage: "client auth", subject: `O=system:skiff-networks, CN=system:skiff-network:${nodeName}`, dnsNames: [], ipAddresses: [] },
    serving: { issuer: serverCa, usage: "server auth", subject: `O=system:nodes, CN=system:node:${nodeName}`, dnsNames: [nodeName], ipAddresses: addresses.filter((address) => !reserved.has(address)) },
  };
  const notAfter = new Date(now() + leafDays * 24 * 3600_000);
  const signed = identities.map(async (name) => {
    const { issuer, usage, ...granted } = subjects[name];
    const request = parseCertificateRequest(Buffer.from(requests[name]).toString("base64"));
    if (!request || !(await request.verify().catch(() => false))) throw badRequest(`requests.${name} must be a certificate request (PKCS#10 in PEM) signed with its key`);
    return [name, await signRequest(issuer, { request: { ...request, ...granted, emailAddresses: [], uris: [] }, usages: ["digital signature", "key encipherment", usage], notBefore: new Date(0), notAfter })];
  });
  return Object.fromEntries(await Promise.all(signed)) as Enrolment["certificates"];
}

const bearerOf = (authorization = ""): string | undefined => /^Bearer (\S+)$/i.exec(authorization.trim())?.[1];

function parseRequest(body: Uint8Array): EnrolmentRequest {
  const { nodeName, nodePassword, addresses, requests } = parseJson<EnrolmentRequest>(body);
  if (typeof nodeName !== "string" || !/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(nodeName)) throw bad("nodeName must be lower-case letters, digits, \"-\" or \".\"");
  if (!isPassword(nodePassword)) throw bad("nodePassword must have at least 16 characters");
  if (!Array.isArray(addresses) || addresses.length > 32 || !addresses.every((address) => typeof address === "string" && isIp(address))) throw bad("addresses must be IP addresses");
  if (typeof requests !== "object" || requests === null || !identities.every((name) => typeof requests[name] === "string")) throw bad(`requests must have ${identities.join(", ")}`);
  return { nodeName, nodePassword, addresses, requests };
}

const bad = (what: string): StatusError => badRequest(`${what}: is this agent of the server's version?`);
const isPassword = (value: unknown): value is string => typeof value === "string" && value.length >= 16;

function parseJson<T>(body: Uint8Array): Partial<T> {
  if (body.length > mostBytes) throw bad("the enrolment is too long");
  try {
    return JSON.parse(Buffer.from(body).toString()) as Partial<T> ?? {};
  } catch {
    throw bad("the enrolment is not JSON");
  }
}
