import { thaw, type Frozen, type KubeObject } from "../../apimachinery/meta.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { isNotFound, serviceUnavailable } from "../../apimachinery/status.ts";
import { apiservices, namespaces } from "../../apis/builtins.ts";
import type { Namespace } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf, type Controller, type Listers, type ReconcileContext, type ServedKinds } from "../../client/controller.ts";
import { noExtensionApis, type ExtensionApis } from "../../client/extension-apis.ts";
import { extensionContent } from "./extension-content.ts";
import { isPods, kubernetesFinalizer, namespaceConditions, nextToDelete, podsAreLeft, podsOverdueAt, type Content, type Obstacles } from "./plan.ts";

/** What extension API servers keep tells nothing when it goes: it is looked at again so often, in milliseconds. */
const lookAgain = 5_000;

export interface NamespaceControllerOptions {
  kinds: ServedKinds;
  extensions?: ExtensionApis;
  /** Milliseconds from some fixed moment. */
  monotonic?(): number;
}

/** What of a kind is left, and its card. */
type Local = Content & { card: AnyResource };

/**
 * Empties namespaces that are being deleted, then lets them go. Of the kinds served it takes those that are stored in namespaces.
 * What is deleted slowly (pods, finalizers) wakes it by the event of its end.
 */
export function namespaceController({ kinds, extensions = noExtensionApis, monotonic = () => performance.now() }: NamespaceControllerOptions): Controller {
  const remote = extensionContent(extensions);
  /** Until when a namespace with much left in it is let be: the end of each object wakes it. */
  const resting = new Map<string, number>();
  /** One card of each kind, whatever the versions it is served in. */
  const contentCards = (): AnyResource[] => [...new Map(kinds.cards.filter(isContent).toReversed().map((card) => [`${card.resource}.${card.group}`, card])).values()].toReversed();

  /** Asks for all that may go now to be deleted; goes on past errors. */
  async function empty(namespace: Frozen<Namespace>, { client, lister, now }: ReconcileContext): Promise<Required<Obstacles> & { slow: boolean }> {
    const name = namespace.metadata.name!, cards = contentCards(), failures: string[] = [];
    let pods: boolean;
    do {
      const contents = contentOf(name, cards, lister);
      pods = podsAreLeft(contents);
      for (const { card } of nextToDelete(contents)) {
        await client.deleteCollection(card, { namespace: name, delete: { propagationPolicy: "Background" } }).catch((error: unknown) => {
          if (!isNotFound(error)) failures.push((error as Error).message);
        });
      }
      // Pods that were not running are gone at once; then the rest needn't wait for an event.
    } while (pods && failures.length === 0 && !podsAreLeft(contentOf(name, cards.filter(isPods), lister)));
    const left: Content[] = contentOf(name, cards, lister), overdueAt = podsOverdueAt(namespace, left);
    if (overdueAt !== undefined && overdueAt <= now()) failures.push(`unexpected items still remain in namespace: ${name} for gvr: /v1, Resource=pods`);
    const undiscovered = remote.undiscovered();
    if (pods) return { left, failures, undiscovered, slow: false };
    const elsewhere = await remote.empty(name);
    return { left: [...left, ...elsewhere.left], failures: [...failures, ...elsewhere.failures], undiscovered, slow: elsewhere.left.some(({ objects }) => objects.length > 0) };
  }

  return defineController({
    name: "namespace-controller", for: namespaces, workers: 5,
    kinds: {
      served: kinds,
      watch: (card) => (isContent(card) ? (current, old, { lister }) => {
        if (current && old && !isReleased(current, old)) return [];
        const { namespace } = (current ?? old!).metadata as { namespace: string };
        // A create that admission let pass while the deletion began is found here too.
        return lister(namespaces).get(namespace)?.metadata.deletionTimestamp ? [namespace] : [];
      } : undefined),
    },
    watches: [watchOf(apiservices, (_, __, { lister }) => lister(namespaces).list().filter(({ metadata }) => metadata.deletionTimestamp).map(({ metadata }) => metadata.name!))],
    writes: [
      namespaces, { apiGroups: [""], resources: ["namespaces/finalize"], verbs: ["update"] },
      { apiGroups: ["*"], resources: ["*"], verbs: ["delete", "deletecollection", "get", "list"] },
    ],
    async reconcile(name, context) {
      const namespace = context.lister(namespaces).get(name);
      if (!namespace?.metadata.deletionTimestamp || !namespace.spec.finalizers?.includes(kubernetesFinalizer)) return void resting.delete(name);
      const rest = (resting.get(name) ?? 0) - monotonic();
      if (rest > 0) return { requeueAfter: rest };
      const obstacles = await empty(namespace, context);
      const written = await writeConditions(namespace, obstacles, context);
      const { left, failures, undiscovered, slow } = obstacles, remaining = left.reduce((sum, { objects }) => sum + objects.length, 0);
      if (remaining === 0 && failures.length === 0 && undiscovered.length === 0) return finalize(written, context);
      const overdueAt = podsOverdueAt(namespace, left), overdue = overdueAt !== undefined && overdueAt <= context.now();
      if (failures.length > (overdue ? 1 : 0) || (remaining === 0 && undiscovered.length > 0)) throw serviceUnavailable(`namespace ${name} can't be emptied: ${[...failures, ...undiscovered].join(", ")}`);
      resting.set(name, monotonic() + pauseFor(remaining));
      return { ...(slow ? { requeueAfter: lookAgain } : {}), ...(overdueAt !== undefined && !overdue ? { requeueAt: overdueAt } : {}) };
    },
  });
}

/** Few objects cost nothing; with thousands every event would count them all again. In milliseconds. */
const pauseFor = (remaining: number): number => (remaining <= 20 ? 0 : Math.min(1000, remaining));

const isContent = (card: AnyResource): boolean => card.scope === "Namespaced" && ["list", "watch", "deletecollection"].every((verb) => card.verbs.includes(verb as "list"));

/** One that waits to go has fewer finalizers to wait for, or others. */
const isReleased = ({ metadata }: Frozen<KubeObject>, old: Frozen<KubeObject>): boolean =>
  metadata.deletionTimestamp !== undefined && metadata.finalizers !== old.metadata.finalizers && !Bun.deepEquals(metadata.finalizers, old.metadata.finalizers);

function contentOf(namespace: string, cards: readonly AnyResource[], lister: Listers): Local[] {
  return cards.map((card) => ({ group: card.group, resource: card.resource, card, objects: lister<KubeObject>(card).list(namespace) }));
}

async function writeConditions(namespace: Frozen<Namespace>, obstacles: Obstacles, { client, now }: ReconcileContext): Promise<Frozen<Namespace>> {
  const conditions = namespaceConditions(namespace, obstacles, now());
  if (Bun.deepEquals(namespace.status?.conditions ?? [], conditions)) return namespace;
  const copy = thaw<Namespace>(namespace);
  return client.update(namespaces, { ...copy, status: { ...copy.status, conditions } }, { subresource: "status" });
}

async function finalize(namespace: Frozen<Namespace>, { client }: ReconcileContext): Promise<void> {
  const copy = thaw<Namespace>(namespace);
  const finalizers = copy.spec.finalizers!.filter((name) => name !== kubernetesFinalizer);
  try {
    await client.update(namespaces, { ...copy, spec: { ...copy.spec, finalizers } }, { subresource: "finalize" });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
