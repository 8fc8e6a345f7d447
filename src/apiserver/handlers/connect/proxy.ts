import type { Frozen } from "../../../apimachinery/meta.ts";
import { badRequest, serviceUnavailable } from "../../../apimachinery/status.ts";
import type { Pod, Service } from "../../../apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../../apis/generated/discovery/v1.ts";
import type { HandlerDependencies, ResourceHandler } from "../handler.ts";
import { isLocal, pathBehindProxy, redirectedToRoot, searchOf, splitTarget } from "./proxy-target.ts";
import { forward } from "./reverse-proxy.ts";

/** `/api/v1/namespaces/NS/pods/[scheme:]NAME[:PORT]/proxy/PATH`. */
export const podProxy: ResourceHandler = async ({ registry, nodes }, exchange, card) => {
  const { scheme, name, port } = splitTarget("pod", exchange.info.name);
  const pod = await registry.get(card, { namespace: exchange.info.namespace, name }) as Frozen<Pod>;
  if (!pod.status?.podIP || isLocal(pod.status.podIP)) throw badRequest("address not allowed");
  const ports = pod.spec.containers.flatMap((container) => container.ports ?? []);
  const number = port === "" ? ports[0]?.containerPort : /^\d+$/.test(port) ? Number(port) : ports.find((each) => each.name === port)?.containerPort;
  if (port !== "" && !number) throw badRequest(`no port ${JSON.stringify(port)} found for pod ${JSON.stringify(name)}`);
  if (redirectedToRoot(exchange)) return;
  await forward(exchange, { scheme, host: pod.status.podIP, port: number ?? (scheme === "https" ? 443 : 80), path: pathBehindProxy(exchange.request.url), search: searchOf(exchange.request.url) }, nodes.network?.(pod.spec.nodeName ?? ""));
};

/** `/api/v1/namespaces/NS/services/[scheme:]NAME[:PORT]/proxy/PATH`: one of the ready endpoints, at random. */
export const serviceProxy: ResourceHandler = async ({ registry, nodes }, exchange, card) => {
  const { scheme, name, port } = splitTarget("service", exchange.info.name);
  const { namespace } = exchange.info;
  const service = await registry.get(card, { namespace, name }) as Frozen<Service>;
  const ports = service.spec?.ports ?? [];
  const wanted = port === "" ? (ports.length === 1 ? ports[0] : undefined) : ports.find((each) => each.name === port || String(each.port) === port);
  if (!wanted) throw serviceUnavailable(`no service port ${JSON.stringify(port)} found for service ${JSON.stringify(name)}`);
  const addresses = await readyAddresses(registry, namespace, name, wanted.name ?? "");
  const chosen = addresses[Math.floor(Math.random() * addresses.length)];
  if (!chosen) throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(name)}`);
  if (redirectedToRoot(exchange)) return;
  const { nodeName, ...where } = chosen;
  await forward(exchange, { scheme, ...where, path: pathBehindProxy(exchange.request.url), search: searchOf(exchange.request.url) }, nodes.network?.(nodeName ?? ""));
};

async function readyAddresses(registry: HandlerDependencies["registry"], namespace: string, service: string, portName: string): Promise<{ host: string; port: number; nodeName?: string }[]> {
  const card = registry.find("discovery.k8s.io", "v1", "endpointslices");
  if (!card) return [];
  const { items } = await registry.list<EndpointSlice>(card, { namespace, labelSelector: `kubernetes.io/service-name=${service}` });
  return items.flatMap((slice) => {
    const port = slice.ports?.find((each) => (each.name ?? "") === portName)?.port;
    if (!port) return [];
    return slice.endpoints.filter((endpoint) => endpoint.conditions?.ready !== false)
      .flatMap(({ addresses, nodeName }) => addresses.slice(0, 1).filter((host) => !isLocal(host)).map((host) => ({ host, port, ...(nodeName ? { nodeName } : {}) })));
  });
}
