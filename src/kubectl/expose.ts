import type { ContainerPort } from "../apis/generated/core/v1.ts";
import { defineCommand } from "./command.ts";
import { pathOf } from "./discovery.ts";
import { forEachDespiteErrors, KubectlError } from "./errors.ts";
import { text } from "./flags.ts";
import { at, goJson, type PlainObject } from "./objects.ts";
import { selectedFlags, selectObjects } from "./selected.ts";
import { dryRunOf, fieldManagerFlag, outcomeText, writeQuery, writingFlags } from "./writing.ts";

const number = (written: string): number | string => (/^\d+$/.test(written) ? Number(written) : written);

export const exposeCommand = defineCommand({
  name: "expose", usage: "expose (-f FILENAME | TYPE NAME) [--port=port] [--protocol=TCP|UDP|SCTP] [--target-port=number-or-name] [--name=name] [--external-ip=external-ip-of-service] [--type=type] [flags]",
  summary: "Take a replication controller, service, deployment or pod and expose it as a new Kubernetes service",
  flags: {
    ...selectedFlags, ...writingFlags, ...fieldManagerFlag("kubectl-expose"), port: text("The port that the service should serve on. Copied from the resource being exposed, if unspecified"), targetPort: text("Name or number for the port on the container that the service should direct traffic to."), protocol: text("The network protocol for the service to be created. Default is 'TCP'."),
    name: text("The name for the newly created object."), type: text("Type for this service: ClusterIP, NodePort, LoadBalancer, or ExternalName. Default is 'ClusterIP'."), clusterIp: text("ClusterIP to be assigned to the service."), labels: text("Labels to apply to the service created by this call."), externalIp: text("Additional external IP address (not managed by Kubernetes) to accept for the service."), sessionAffinity: text("If non-empty, set the session affinity for the service to this; legal values: 'None', 'ClientIP'"),
  },
  async run({ args, flags: given, connect }) {
    const session = await connect();
    const services = await session.discovery.find("services");
    await forEachDespiteErrors(await selectObjects(session, args, given), async ({ object, resource }) => {
      const selector = given.selector ? Object.fromEntries(given.selector.split(",").map((pair) => pair.split("=", 2))) as Record<string, string> : selectorOf(object, resource.resource);
      const ports = given.port ? given.port.split(",").map((port) => ({ port: Number(port), protocol: given.protocol || "TCP" })) : portsOf(object).map(({ containerPort, protocol }) => ({ port: containerPort, protocol: given.protocol || (protocol ?? "TCP") }));
      if (ports.length === 0) throw new KubectlError("couldn't find port via --port flag or introspection\nSee 'kubectl expose -h' for help and examples");
      const labels = given.labels ? Object.fromEntries(given.labels.split(",").map((pair) => pair.split("=", 2))) as Record<string, string> : object.metadata.labels;
      const service: PlainObject = {
        apiVersion: "v1", kind: "Service", metadata: { name: given.name || object.metadata.name!, namespace: object.metadata.namespace ?? session.namespace, ...(labels ? { labels } : {}) },
        spec: {
          ports: ports.map((port, index) => ({ ...(ports.length > 1 ? { name: `port-${index + 1}` } : {}), ...port, targetPort: given.targetPort ? number(given.targetPort) : port.port })), selector,
          ...(given.type ? { type: given.type } : {}), ...(given.clusterIp ? { clusterIP: given.clusterIp } : {}), ...(given.externalIp ? { externalIPs: [given.externalIp] } : {}), ...(given.sessionAffinity ? { sessionAffinity: given.sessionAffinity } : {}),
        },
        status: { loadBalancer: {} },
      };
      if (dryRunOf(given) === "client" && !session.namespaceGiven) delete service.metadata.namespace;
      const created = dryRunOf(given) === "client" ? service : await session.api.json<PlainObject>(pathOf(services, service.metadata.namespace), { method: "POST", body: goJson(service), query: writeQuery(given) });
      session.out(outcomeText({ ...created, apiVersion: "v1", kind: "Service" }, "exposed", given));
    });
  },
});

function selectorOf(object: PlainObject, resource: string): Record<string, string> {
  if (object.kind === "Pod") {
    if (!object.metadata.labels) throw new KubectlError("the pod has no labels and cannot be exposed");
    return object.metadata.labels;
  }
  const selector = at(object, "spec", "selector", "matchLabels") ?? (object.kind === "Service" || object.kind === "ReplicationController" ? at(object, "spec", "selector") : undefined);
  if (!selector) throw new KubectlError(`cannot expose a ${resource}: it has no selector`);
  return selector as Record<string, string>;
}

const portsOf = (object: PlainObject): ContainerPort[] => ((at(object, "spec", "template", "spec", "containers") ?? at(object, "spec", "containers") ?? []) as { ports?: ContainerPort[] }[]).flatMap(({ ports = [] }) => ports);
