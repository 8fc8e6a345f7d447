import { pathOf } from "../discovery.ts";
import { KubectlError } from "../errors.ts";
import { list, number, text } from "../flags.ts";
import type { PlainObject } from "../objects.ts";
import { defineGenerator } from "./generator.ts";

/** `registry/name:tag` as the name of a container. */
const containerName = (image: string): string => image.slice(image.lastIndexOf("/") + 1).split(/[:@]/)[0]!;

export const deployment = defineGenerator({
  name: "deployment", aliases: ["deploy"], usage: "deployment NAME --image=image -- [COMMAND] [args...] [flags]", summary: "Create a deployment with the specified name", failure: "failed to create deployment: ",
  flags: { image: list("Image names to run."), port: number("The containerPort that this deployment exposes.", -1), replicas: number("Number of replicas to create.", 1, { short: "r" }) },
  make({ name, command, flags: { image, port, replicas } }) {
    if (image.length === 0) throw new KubectlError('required flag(s) "image" not set');
    if (image.length > 1 && command.length) throw new KubectlError("cannot specify multiple --image options and command");
    const labels = { app: name };
    const containers = image.map((each) => ({ name: containerName(each), image: each, ...(command.length ? { command } : {}), ...(port >= 0 ? { ports: [{ containerPort: port }] } : {}), resources: {} }));
    return { apiVersion: "apps/v1", kind: "Deployment", metadata: { name, labels }, spec: { replicas, selector: { matchLabels: labels }, strategy: {}, template: { metadata: { labels }, spec: { containers } } }, status: {} };
  },
});

const jobTemplate = (name: string, image: string, command: readonly string[], restartPolicy: string): object =>
  ({ spec: { template: { metadata: {}, spec: { containers: [{ name, image, ...(command.length ? { command } : {}), resources: {} }], restartPolicy } } } });

export const job = defineGenerator({
  name: "job", usage: "job NAME --image=image [--from=cronjob/name] -- [COMMAND] [args...] [flags]", summary: "Create a job with the specified name", failure: "failed to create job: ",
  flags: { image: text("Image name to run."), from: text("The name of the resource to create a Job from (only cronjob is supported).") },
  async make({ name, command, flags: { image, from }, session }): Promise<PlainObject> {
    if (!image && !from || image && from) throw new KubectlError("either --image or --from must be specified");
    if (!from) return { apiVersion: "batch/v1", kind: "Job", metadata: { name }, ...jobTemplate(name, image, command, "Never"), status: {} };
    const [type = "", cronJobName = ""] = from.split("/");
    const resource = await session.discovery.find(type);
    if (resource.resource !== "cronjobs") throw new KubectlError(`from must be an existing cronjob`);
    const cronJob = await session.api.json<PlainObject & { spec: { jobTemplate: { metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> }; spec: object } } }>(pathOf(resource, session.namespace, cronJobName));
    const { metadata = {}, spec } = cronJob.spec.jobTemplate;
    return {
      apiVersion: "batch/v1", kind: "Job", spec,
      metadata: { name, annotations: { "cronjob.kubernetes.io/instantiate": "manual", ...metadata.annotations }, ...(metadata.labels ? { labels: metadata.labels } : {}), ownerReferences: [{ apiVersion: "batch/v1", kind: "CronJob", name: cronJobName, uid: cronJob.metadata.uid!, controller: true }] },
    };
  },
});

export const cronjob = defineGenerator({
  name: "cronjob", aliases: ["cj"], usage: "cronjob NAME --image=image --schedule='0/5 * * * ?' -- [COMMAND] [args...] [flags]", summary: "Create a cron job with the specified name", failure: "failed to create cronjob: ",
  flags: { image: text("Image name to run."), schedule: text("A schedule in the Cron format the job should be run with."), restart: text("job's restart policy. supported values: OnFailure, Never", { default: "OnFailure" }) },
  make({ name, command, flags: { image, schedule, restart } }) {
    if (!image) throw new KubectlError('required flag(s) "image" not set');
    return { apiVersion: "batch/v1", kind: "CronJob", metadata: { name }, spec: { jobTemplate: { metadata: { name }, ...jobTemplate(name, image, command, restart) }, schedule }, status: {} };
  },
});

const service = (type: "ClusterIP" | "NodePort" | "LoadBalancer", about: string) => defineGenerator({
  name: type.toLowerCase(), usage: `${type.toLowerCase()} NAME [--tcp=<port>:<targetPort>] [flags]`, summary: `Create a ${about} service`, failure: `failed to create ${type} service: `,
  flags: { tcp: list("Port pairs can be specified as '<port>:<targetPort>'."), clusterip: text("Assign your own ClusterIP or set to 'None' for a 'headless' service (no loadbalancing)."), nodePort: number("Port used to expose the service on each node in a cluster.", 0) },
  make({ name, flags: { tcp, clusterip, nodePort } }) {
    if (tcp.length === 0 && clusterip !== "None") throw new KubectlError("at least one tcp port specifier must be provided");
    const ports = tcp.map((pair) => {
      const [, from, , to = from] = /^(\d+)(:([\w-]+))?$/.exec(pair) ?? [];
      if (from === undefined) throw new KubectlError(`invalid port format at ${JSON.stringify(pair)}`);
      return { name: pair.replace(":", "-"), port: Number(from), protocol: "TCP", targetPort: /^\d+$/.test(to!) ? Number(to) : to, ...(nodePort ? { nodePort } : {}) };
    });
    return { apiVersion: "v1", kind: "Service", metadata: { name, labels: { app: name } }, spec: { ports, selector: { app: name }, type, ...(clusterip ? { clusterIP: clusterip } : {}) }, status: { loadBalancer: {} } };
  },
});

export const services = [
  service("ClusterIP", "ClusterIP"), service("NodePort", "NodePort"), service("LoadBalancer", "LoadBalancer"),
  defineGenerator({
    name: "externalname", usage: "externalname NAME --external-name external.name [flags]", summary: "Create an ExternalName service", failure: "failed to create ExternalName service: ", flags: { externalName: text("External name of service") },
    make: ({ name, flags }) => ({ apiVersion: "v1", kind: "Service", metadata: { name, labels: { app: name } }, spec: { externalName: flags.externalName, selector: { app: name }, type: "ExternalName" }, status: { loadBalancer: {} } }),
  }),
];
