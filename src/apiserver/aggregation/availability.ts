import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import type { ResourceCard } from "../../apimachinery/resource.ts";
import { formatTime } from "../../apimachinery/time.ts";
import { endpointslices } from "../../apis/discovery/endpointslice.ts";
import { services } from "../../apis/core/service/service.ts";
import type { EndpointSlice } from "../../apis/generated/discovery/v1.ts";
import type { Service } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf, type Controller, type Listers } from "../../client/controller.ts";
import type { ApiService, ApiServiceCondition } from "./api-service.ts";

/** An extension API server is asked again this often: endpoints don't tell when a server stops to answer. */
const recheckMs = 30_000, recheckFailedMs = 3_000;

type Verdict = Required<Pick<ApiServiceCondition, "status" | "reason" | "message">>;

/**
 * Keeps the Available condition of APIServices that name a Service.
 * Source: k8s.io/kube-aggregator/pkg/controllers/status/remote (reasons and messages).
 */
export function apiServiceAvailability({ card, check, changed }: {
  card: ResourceCard<ApiService>;
  /** Asks the server for its discovery document; throws an Error that tells why it is not there. */
  check(service: Frozen<ApiService>): Promise<void>;
  /** Called with each new verdict. */
  changed(): void;
}): Controller {
  const concerned = (lister: Listers, namespace: string | undefined, name: string | undefined): string[] =>
    lister(card).list().filter(({ spec: { service } }) => service && service.namespace === namespace && service.name === name).map(({ metadata }) => metadata.name!);

  return defineController<ApiService>({
    name: "apiservice-availability",
    for: card,
    watches: [
      watchOf(services, (current, old, { lister }) => concerned(lister, (current ?? old)!.metadata.namespace, (current ?? old)!.metadata.name)),
      watchOf(endpointslices, (current, old, { lister }) => concerned(lister, (current ?? old)!.metadata.namespace, (current ?? old)!.metadata.labels?.["kubernetes.io/service-name"])),
    ],
    writes: [card],
    workers: 2,
    async reconcile(name, { client, lister, now }) {
      const service = lister(card).get(name);
      if (!service?.spec.service) return undefined;
      const verdict = beforeAsking(service, lister) ?? await ask(service, check);
      const known = service.status?.conditions?.find(({ type }) => type === "Available");
      if (known?.status !== verdict.status || known.reason !== verdict.reason || known.message !== verdict.message) {
        const current = thaw<ApiService>(service);
        const lastTransitionTime = known?.status === verdict.status && known.lastTransitionTime ? known.lastTransitionTime : formatTime(now());
        current.status = { ...current.status, conditions: [...(current.status?.conditions ?? []).filter(({ type }) => type !== "Available"), { type: "Available", ...verdict, lastTransitionTime }] };
        await client.update(card, current, { subresource: "status" });
      }
      changed();
      return { requeueAfter: verdict.status === "True" ? recheckMs : recheckFailedMs };
    },
  });
}

async function ask(service: Frozen<ApiService>, check: (service: Frozen<ApiService>) => Promise<void>): Promise<Verdict> {
  try {
    await check(service);
    return { status: "True", reason: "Passed", message: "all checks passed" };
  } catch (error) {
    return { status: "False", reason: "FailedDiscoveryCheck", message: (error as Error).message };
  }
}

/** What is known without asking the server; undefined when it should be there. */
function beforeAsking({ spec }: Frozen<ApiService>, lister: Listers): Verdict | undefined {
  const { namespace = "", name = "", port = 443 } = spec.service!;
  const no = (reason: string, message: string): Verdict => ({ status: "False", reason, message });
  const service = lister<Service>(services).get(`${namespace}/${name}`);
  if (!service) return no("ServiceNotFound", `service/${name} in ${JSON.stringify(namespace)} is not present`);
  if (service.spec?.type && service.spec.type !== "ClusterIP") return undefined;
  const found = service.spec?.ports?.find((each) => each.port === port);
  if (!found) return no("ServicePortError", `service/${name} in ${JSON.stringify(namespace)} is not listening on port ${port}`);
  const slices = lister<EndpointSlice>(endpointslices).list(namespace).filter(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === name);
  if (slices.length === 0) return no("EndpointsNotFound", `cannot find endpointslices for service/${name} in ${JSON.stringify(namespace)}`);
  const portName = found.name ?? "";
  if (slices.some((slice) => isServing(slice, portName))) return undefined;
  return no("MissingEndpoints", `endpointslices for service/${name} in ${JSON.stringify(namespace)} have no addresses with port name ${JSON.stringify(portName)}`);
}

const isServing = ({ endpoints, ports }: Frozen<EndpointSlice>, portName: string): boolean =>
  endpoints.some(({ conditions }) => conditions?.ready !== false) && (ports?.some(({ name, port }) => (name ?? "") === portName && port !== undefined) ?? false);
