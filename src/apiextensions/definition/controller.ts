import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import type { AnyResource, ResourceCard } from "../../apimachinery/resource.ts";
import { isConflict, isNotFound } from "../../apimachinery/status.ts";
import { formatTime } from "../../apimachinery/time.ts";
import type { CustomResourceDefinitionStatus } from "../../apis/generated/apiextensions/v1.ts";
import type { Clock } from "../../base/clock.ts";
import { logger } from "../../base/log.ts";
import { Workqueue } from "../../base/workqueue.ts";
import type { Client } from "../../client/client.ts";
import type { Informer, InformerFactory, Lister } from "../../client/informer.ts";
import { isTrue, withCondition, type Condition } from "./conditions.ts";
import type { PackedDefinition } from "./packing.ts";
import { planStatus } from "./plan.ts";

export const cleanupFinalizer = "customresourcecleanup.apiextensions.k8s.io";

export interface DefinitionControllerDependencies {
  /** The card of CustomResourceDefinition: what is written through it is read as a definition. */
  card: ResourceCard<KubeObject>;
  /** As they are stored. */
  definitions: Informer<PackedDefinition>;
  informers: InformerFactory;
  /** One card of the kind that a definition serves. */
  cardOf(definition: Frozen<PackedDefinition>): AnyResource | undefined;
  client: Client;
  clock: Clock;
}

const log = logger("customresourcedefinitions");

/** Accepts names, establishes, and empties what is being deleted. Runs in the API server, as in Kubernetes; resolves when `signal` has aborted. */
export async function runDefinitionController(dependencies: DefinitionControllerDependencies, signal: AbortSignal): Promise<void> {
  const { definitions, clock } = dependencies;
  const queue = new Workqueue({ clock });
  const unsubscribe = definitions.onChange((old, current) => {
    queue.add((current ?? old)!.metadata.name!);
    // Names that became free may be what others of the group wait for.
    if (!current || (old && !Bun.deepEquals(old.status?.acceptedNames, current.status?.acceptedNames))) {
      for (const { metadata, spec } of definitions.lister.list()) if (spec.group === (current ?? old)!.spec.group && metadata.name !== (current ?? old)!.metadata.name) queue.add(metadata.name!);
    }
  });
  const stop = (): void => queue.shutDown();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  const leaving = new LeavingInstances(dependencies.informers, queue);
  for (let name = await queue.get(); name !== undefined; name = await queue.get()) {
    try {
      await reconcile(name, dependencies, leaving);
      queue.forget(name);
    } catch (error) {
      queue.addRateLimited(name);
      if (!signal.aborted && !isConflict(error) && !isNotFound(error)) log.warn("Reconciling failed, will try again", { key: name, error });
    }
    queue.done(name);
  }
  leaving.end();
  unsubscribe();
}

/** Wakes definitions that are being deleted when an instance has gone. */
class LeavingInstances {
  readonly #watched = new Map<string, () => void>();

  constructor(readonly informers: InformerFactory, readonly queue: Workqueue) {}

  /** Returns what reads the instances. */
  watch(name: string, card: AnyResource): Lister<KubeObject> {
    const informer = this.informers.informer<KubeObject>(card);
    if (!this.#watched.has(name)) {
      this.#watched.set(name, () => undefined);
      this.#watched.set(name, informer.onChange((_, current) => {
        if (!current) this.queue.add(name);
      }));
    }
    return informer.lister;
  }

  forget(name: string): void {
    this.#watched.get(name)?.();
    this.#watched.delete(name);
  }

  end(): void {
    for (const unsubscribe of this.#watched.values()) unsubscribe();
  }
}

async function reconcile(name: string, dependencies: DefinitionControllerDependencies, leaving: LeavingInstances): Promise<void> {
  const definition = dependencies.definitions.lister.get(name);
  if (!definition) return leaving.forget(name);
  if (definition.metadata.deletionTimestamp) {
    if (definition.metadata.finalizers?.includes(cleanupFinalizer)) await cleanUp(definition, dependencies, leaving);
    return;
  }
  const planned = planStatus(definition, dependencies.definitions.lister.list(), formatTime(dependencies.clock.now()));
  if (planned) await writeStatus(definition, planned, dependencies);
}

/** Deletes all instances, which may take as long as their finalizers do, then lets the definition go. */
async function cleanUp(definition: Frozen<PackedDefinition>, dependencies: DefinitionControllerDependencies, leaving: LeavingInstances): Promise<void> {
  const name = definition.metadata.name!, now = formatTime(dependencies.clock.now()), conditions = definition.status?.conditions;
  const card = isTrue(definition, "Established") ? dependencies.cardOf(definition) : undefined;
  const written = async (condition: Condition): Promise<Frozen<KubeObject>> => writeStatus(definition, { conditions: withCondition(conditions, condition, now) }, dependencies);
  if (!card) return letGo(await written(done("NeverEstablished", "resource was never established")), dependencies);
  const instances = leaving.watch(name, card);
  if (instances.list().length > 0) {
    const begun = conditions?.some(({ type, reason }) => type === "Terminating" && reason === "InstanceDeletionInProgress");
    if (!begun) return void await written({ type: "Terminating", status: "True", reason: "InstanceDeletionInProgress", message: "CustomResource deletion is in progress" });
    for (const namespace of new Set(instances.list().filter(({ metadata }) => !metadata.deletionTimestamp).map(({ metadata }) => metadata.namespace))) {
      await dependencies.client.deleteCollection(card, namespace ? { namespace } : {});
    }
    // Their end is an event, which comes back here.
    if (instances.list().length > 0) return;
  }
  leaving.forget(name);
  await letGo(await written(done("InstanceDeletionCompleted", "removed all instances")), dependencies);
}

const done = (reason: string, message: string): Condition => ({ type: "Terminating", status: "False", reason, message });

function writeStatus({ metadata: { name = "", resourceVersion } }: Frozen<PackedDefinition>, status: Partial<CustomResourceDefinitionStatus>, { client, card }: DefinitionControllerDependencies): Promise<Frozen<KubeObject>> {
  return client.patch(card, { name }, { type: "application/merge-patch+json", body: { metadata: { resourceVersion }, status: replacing(status) } }, { subresource: "status" });
}

/** A merge patch leaves fields of acceptedNames that aren't mentioned; those that are gone are nulls. */
const replacing = ({ acceptedNames, ...rest }: Partial<CustomResourceDefinitionStatus>): object =>
  (acceptedNames ? { ...rest, acceptedNames: { shortNames: null, categories: null, ...acceptedNames } } : rest);

async function letGo({ metadata }: Frozen<KubeObject>, { client, card }: DefinitionControllerDependencies): Promise<void> {
  const finalizers = (metadata.finalizers ?? []).filter((name) => name !== cleanupFinalizer);
  await client.patch(card, { name: metadata.name! }, { type: "application/merge-patch+json", body: { metadata: { resourceVersion: metadata.resourceVersion, finalizers } } });
}
