import type { Pod, Service } from "../apis/generated/core/v1.ts";
import { defineCommand } from "./command.ts";
import { KubectlError } from "./errors.ts";
import { duration, list } from "./flags.ts";
import type { PlainObject } from "./objects.ts";
import { objectOf, podsOf } from "./pods.ts";
import { forwardPorts, type ForwardedPort } from "./streams/port-forwarder.ts";

export const portForwardCommand = defineCommand({
  name: "port-forward", usage: "port-forward TYPE/NAME [options] [LOCAL_PORT:]REMOTE_PORT [...[LOCAL_PORT_N:]REMOTE_PORT_N] [flags]", summary: "Forward one or more local ports to a pod",
  flags: { address: list("Addresses to listen on (comma separated). Default localhost."), podRunningTimeout: duration("The length of time to wait until at least one pod is running", 60_000) },
  async run({ args, flags: given, connect, usageError }) {
    const [name, ...wanted] = args;
    if (!name || wanted.length === 0) throw usageError("TYPE/NAME and list of ports are required for port-forward");
    const session = await connect();
    const object = await objectOf(session, [name]);
    const [pod] = await podsOf(session, object);
    if (!pod) throw new KubectlError(`no pods found for ${name}`);
    if (pod.status?.phase !== "Running") throw new KubectlError(`unable to forward port because pod is not running. Current status=${pod.status?.phase}`);
    const ports = wanted.map((port) => portOf(port, object, pod));
    const addresses = (given.address.length ? given.address : ["localhost"]).flatMap((address) => (address === "localhost" ? ["127.0.0.1", "::1"] : [address]));
    const stop = new AbortController();
    process.once("SIGINT", () => stop.abort());
    process.once("SIGTERM", () => stop.abort());
    await forwardPorts(session, `/api/v1/namespaces/${pod.metadata!.namespace}/pods/${pod.metadata!.name}/portforward`, ports, addresses, stop.signal);
  },
});

/** `8080:80`, `80`, `:80` or `8080:http`; of a Service the port that it leads to. */
export function portOf(written: string, object: PlainObject, pod: Pod): ForwardedPort {
  const colon = written.indexOf(":");
  const remoteText = colon < 0 ? written : written.slice(colon + 1), localText = colon < 0 ? written : written.slice(0, colon);
  if (!remoteText) throw new KubectlError("remote port cannot be empty");
  const remote = object.kind === "Service" ? servicePort(remoteText, object as unknown as Service, pod) : containerPort(remoteText, pod);
  const local = localText === "" ? 0 : /^\d+$/.test(localText) ? Number(localText) : remote;
  if (local > 65_535) throw new KubectlError(`error parsing local port ${JSON.stringify(localText)}: strconv.ParseUint: parsing ${JSON.stringify(localText)}: value out of range`);
  // A port that was only named there is the same number here.
  return { local: colon < 0 && object.kind !== "Service" ? remote : local, remote };
}

function containerPort(written: string, { spec, metadata }: Pod): number {
  if (/^\d+$/.test(written)) return Number(written);
  const found = spec?.containers.flatMap(({ ports = [] }) => ports).find(({ name }) => name === written);
  if (!found) throw new KubectlError(`Pod '${metadata?.name}' does not have a named port '${written}'`);
  return found.containerPort;
}

function servicePort(written: string, { spec, metadata }: Service, pod: Pod): number {
  const found = spec?.ports?.find(({ name, port }) => (/^\d+$/.test(written) ? port === Number(written) : name === written));
  if (!found) throw new KubectlError(`Service ${metadata?.name} does not have a service port ${written}`);
  if (found.protocol === "UDP") throw new KubectlError(`UDP protocol is not supported for ${written}`);
  if (spec?.clusterIP === "None" && found.targetPort === undefined) return found.port;
  return typeof found.targetPort === "string" ? containerPort(found.targetPort, pod) : found.targetPort ?? found.port;
}
