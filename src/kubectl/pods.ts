import { formatLabelSelector, formatSelector, fromSet } from "../apimachinery/selectors/labels.ts";
import type { LabelSelector } from "../apis/generated/meta/v1.ts";
import type { Pod } from "../apis/generated/core/v1.ts";
import { pathOf } from "./discovery.ts";
import { KubectlError } from "./errors.ts";
import { at, objectName, type PlainObject } from "./objects.ts";
import type { Session } from "./session.ts";
import { targetsOf } from "./targets.ts";

/** A container that an annotation names, or the first. */
const defaultContainerAnnotation = "kubectl.kubernetes.io/default-container";

/** The object that `web`, `pod/web`, `deploy/web` or `deploy web` names; a bare name is a pod's. */
export async function objectOf(session: Session, args: readonly string[]): Promise<PlainObject> {
  const [target] = await targetsOf(session.discovery, args.length === 1 && !args[0]!.includes("/") ? [`pods/${args[0]}`] : args);
  const { resource, name } = target!;
  return session.api.json<PlainObject>(pathOf(resource, session.namespace, name!));
}

/** The selector of the pods that an object stands for; throws for a kind that has none. */
export function podSelectorOf(object: PlainObject): string {
  const selector = at(object, "spec", "selector") as LabelSelector | Record<string, string> | undefined;
  if (!selector) throw new KubectlError(`cannot get the logs from ${object.apiVersion}, Kind=${object.kind}: selector for ${objectName(object)} not found`);
  const structured = "matchLabels" in selector || "matchExpressions" in selector;
  return structured ? formatLabelSelector(selector as LabelSelector) : formatSelector(fromSet(selector as Record<string, string>));
}

/** The pods an object stands for, the one that serves best in front: running, ready, oldest. A pod stands for itself. */
export async function podsOf(session: Session, object: PlainObject): Promise<Pod[]> {
  if (object.kind === "Pod") return [object as unknown as Pod];
  const { items } = await session.api.json<{ items: Pod[] }>(`/api/v1/namespaces/${object.metadata.namespace}/pods`, { query: { labelSelector: podSelectorOf(object) } });
  const rank = ({ status, metadata }: Pod): number => (metadata?.deletionTimestamp ? 4 : 0) + (status?.phase === "Running" ? 0 : 2) + (status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") ? 0 : 1);
  return items.sort((a, b) => rank(a) - rank(b) || ((a.metadata?.creationTimestamp ?? "") < (b.metadata?.creationTimestamp ?? "") ? -1 : 1));
}

/** The pod to speak to. */
export async function podOf(session: Session, args: readonly string[]): Promise<Pod> {
  const object = await objectOf(session, args);
  const [pod] = await podsOf(session, object);
  if (!pod) throw new KubectlError(`no pods found for ${objectName(object)}`);
  return pod;
}

/** All containers, the init and the ephemeral ones with a mark: as messages list them. */
const containerNames = ({ spec }: Pod): string => [
  ...(spec?.containers ?? []).map(({ name }) => name), ...(spec?.initContainers ?? []).map(({ name }) => `${name} (init)`), ...(spec?.ephemeralContainers ?? []).map(({ name }) => `${name} (ephem)`),
].join(", ");

export const allContainers = ({ spec }: Pod): { name: string; tty?: boolean; stdin?: boolean }[] => [...(spec?.initContainers ?? []), ...(spec?.containers ?? []), ...(spec?.ephemeralContainers ?? [])];

/** The container to speak to; tells which when there was a choice. */
export function containerOf(pod: Pod, wanted: string, err: (text: string) => void): string {
  const name = wanted || pod.metadata?.annotations?.[defaultContainerAnnotation] || "";
  if (name && allContainers(pod).some((container) => container.name === name)) return name;
  if (wanted) throw new KubectlError(`container ${wanted} is not valid for pod ${pod.metadata?.name} out of: ${containerNames(pod)}`);
  if (name) err(`Default container name ${JSON.stringify(name)} not found in pod ${pod.metadata?.name}\n`);
  const first = pod.spec!.containers[0]!.name;
  if (allContainers(pod).length > 1) err(`Defaulted container ${JSON.stringify(first)} out of: ${containerNames(pod)}\n`);
  return first;
}
