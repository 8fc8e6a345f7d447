import type { Deployment, ReplicaSet } from "../apis/generated/apps/v1.ts";
import type { Lease } from "../apis/generated/coordination/v1.ts";
import type { ConfigMap, Event, Node, Pod, Secret, Service } from "../apis/generated/core/v1.ts";
import type { EndpointSlice } from "../apis/generated/discovery/v1.ts";
import { formatLabelSelector } from "../apimachinery/selectors/labels.ts";
import { defineCommand } from "./command.ts";
import { Description } from "./describe/description.ts";
import { describeConfigMap, describeSecret } from "./describe/configuration.ts";
import { describeObject } from "./describe/generic.ts";
import { describeNode } from "./describe/node.ts";
import { describePod } from "./describe/pod.ts";
import { describeService } from "./describe/service.ts";
import { describeDeployment, describeReplicaSet } from "./describe/workload.ts";
import { isNotFound, isReason } from "./errors.ts";
import { bool, number } from "./flags.ts";
import { revisionAnnotation } from "./rollout-status.ts";
import type { Session } from "./session.ts";
import { type Selected, selectedFlags, selectObjects } from "./selected.ts";
import { pathOfTarget, targetsOf } from "./targets.ts";
import { readAll } from "./get.ts";
import { pathOf } from "./discovery.ts";
import type { PlainObject } from "./objects.ts";

type Describer = (text: Description, object: PlainObject, session: Session) => void | Promise<void>;

/** Kinds with a description of their own, by group and kind; the others are described field by field. */
const describers: Readonly<Record<string, Describer>> = {
  "/Pod": (text, object) => describePod(text, object as unknown as Pod),
  async "/Node"(text, object, session) {
    const { name } = object.metadata;
    const [lease, pods] = await Promise.all([
      allowed(session.api.json<Lease>(`/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${name}`)),
      allowed(session.api.json<{ items: Pod[] }>("/api/v1/pods", { query: { fieldSelector: `spec.nodeName=${name}` } })),
    ]);
    describeNode(text, object as unknown as Node, lease, pods?.items);
  },
  async "/Service"(text, object, session) {
    const { name, namespace } = object.metadata;
    const slices = await allowed(session.api.json<{ items: EndpointSlice[] }>(`/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`, { query: { labelSelector: `kubernetes.io/service-name=${name}` } }));
    describeService(text, object as unknown as Service, slices?.items ?? []);
  },
  async "apps/Deployment"(text, object, session) {
    const deployment = object as unknown as Deployment, { uid, annotations, namespace } = object.metadata;
    const sets = await allowed(session.api.json<{ items: ReplicaSet[] }>(`/apis/apps/v1/namespaces/${namespace}/replicasets`, { query: { labelSelector: formatLabelSelector(deployment.spec!.selector) } }));
    const own = (sets?.items ?? []).filter(({ metadata }) => metadata?.ownerReferences?.some((owner) => owner.uid === uid));
    const isCurrent = ({ metadata }: ReplicaSet): boolean => metadata?.annotations?.[revisionAnnotation] === annotations?.[revisionAnnotation];
    describeDeployment(text, deployment, { current: own.filter(isCurrent), old: own.filter((set) => !isCurrent(set)) });
  },
  "/ConfigMap": (text, object) => describeConfigMap(text, object as unknown as ConfigMap),
  "/Secret": (text, object) => describeSecret(text, object as unknown as Secret),
  async "apps/ReplicaSet"(text, object, session) {
    const set = object as unknown as ReplicaSet, { uid, namespace } = object.metadata;
    const pods = await allowed(session.api.json<{ items: Pod[] }>(`/api/v1/namespaces/${namespace}/pods`, { query: { labelSelector: formatLabelSelector(set.spec!.selector) } }));
    describeReplicaSet(text, set, pods?.items.filter(({ metadata }) => metadata?.ownerReferences?.some((owner) => owner.uid === uid)).map(({ status }) => status?.phase ?? ""));
  },
};

/** What may be missing in a description, and is when it isn't there or may not be read. */
const allowed = <T>(reading: Promise<T>): Promise<T | undefined> => reading.catch((error: unknown) => {
  if (isNotFound(error) || isReason(error, "Forbidden")) return undefined;
  throw error;
});

export const describeCommand = defineCommand({
  name: "describe", usage: "describe (-f FILENAME | TYPE [NAME_PREFIX | -l label] | TYPE/NAME) [flags]", summary: "Show details of a specific resource or group of resources",
  flags: { ...selectedFlags, showEvents: bool("If true, display events related to the described object.", { default: true }), chunkSize: number("Return large lists in chunks rather than all at once.", 500) },
  async run({ args, flags: given, given: isGiven, connect }) {
    const session = await connect();
    let end = "";
    const selected = await selectObjects(session, args, given, { bulk: true }).catch(async (failure: unknown) => {
      // Names may be the beginnings of names.
      if (!isNotFound(failure) || given.filename.length || args.length !== 2) throw failure;
      const found = await byPrefix(session, args);
      if (found.length === 0) throw failure;
      end = "\n";
      return found;
    });
    // Of several objects no events are told unless that was asked for.
    const withEvents = given.showEvents && (selected.length === 1 && !end || isGiven("showEvents"));
    for (const [index, { object }] of selected.entries()) session.out((index ? "\n\n" : "") + await describe(session, object, withEvents) + end);
    if (selected.length === 0) session.err(given.allNamespaces ? "No resources found\n" : `No resources found in ${session.namespace} namespace.\n`);
  },
});

async function byPrefix(session: Session, args: readonly string[]): Promise<Selected[]> {
  const [{ resource }] = await targetsOf(session.discovery, [args[0]!]) as [{ resource: Selected["resource"] }];
  const objects = await readAll(session.api, resource, pathOfTarget({ resource }, session));
  return objects.filter(({ metadata }) => metadata.name!.startsWith(args[1]!)).map((object) => ({ resource, object, path: pathOf(resource, object.metadata.namespace, object.metadata.name) }));
}

async function describe(session: Session, object: PlainObject, withEvents: boolean): Promise<string> {
  const text = new Description();
  const [group = ""] = object.apiVersion!.includes("/") ? object.apiVersion!.split("/") : [""];
  await (describers[`${group}/${object.kind}`] ?? describeObject)(text, object, session);
  if (withEvents && object.kind !== "Secret") text.events(await eventsOf(session, object));
  return text.toString();
}

async function eventsOf(session: Session, { kind, metadata: { name, namespace, uid } }: PlainObject): Promise<Event[]> {
  const events = await session.discovery.find("events");
  // A node's events name it where its uid should be.
  const about = kind === "Node" ? name : uid;
  const fieldSelector = `involvedObject.name=${name},involvedObject.kind=${kind}${namespace ? `,involvedObject.namespace=${namespace}` : ""}`;
  const found = await allowed(session.api.json<{ items: Event[] }>(pathOf({ ...events, group: "", version: "v1" }, namespace), { query: { fieldSelector } }));
  return (found?.items ?? []).filter(({ involvedObject }) => !involvedObject.uid || involvedObject.uid === about || involvedObject.uid === uid);
}
