import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { isNotFound } from "../../apimachinery/status.ts";
import { namespaces } from "../../apis/builtins.ts";
import type { Namespace } from "../../apis/generated/core/v1.ts";
import { defineController, type Controller, type Listers, type ReconcileContext, type ServedKinds } from "../../client/controller.ts";
import { kubernetesFinalizer, namespaceConditions, nextToDelete, type Content } from "./plan.ts";

/**
 * Empties namespaces that are being deleted, then lets them go. Of the kinds served it takes those that are stored in namespaces.
 * What is deleted slowly (pods, finalizers) wakes it by the event of its end.
 */
export function namespaceController({ kinds }: { kinds: ServedKinds }): Controller {
  /** One card of each kind, whatever the versions it is served in. */
  const contentCards = (): AnyResource[] => [...new Map(kinds.cards.filter(isContent).toReversed().map((card) => [nameOf(card), card])).values()].toReversed();
  return defineController({
    name: "namespace-controller", for: namespaces, workers: 5,
    kinds: {
      served: kinds,
      watch: (card) => (isContent(card) ? (current, old, { lister }) => {
        const { namespace } = (current ?? old!).metadata as { namespace: string };
        // A create that admission let pass while the deletion began is found here too.
        return (!current || !old) && lister(namespaces).get(namespace)?.metadata.deletionTimestamp ? [namespace] : [];
      } : undefined),
    },
    writes: [
      namespaces, { apiGroups: [""], resources: ["namespaces/finalize"], verbs: ["update"] },
      { apiGroups: ["*"], resources: ["*"], verbs: ["delete", "deletecollection", "get", "list"] },
    ],
    async reconcile(name, context) {
      const namespace = context.lister(namespaces).get(name);
      if (!namespace?.metadata.deletionTimestamp || !namespace.spec.finalizers?.includes(kubernetesFinalizer)) return;
      const cards = contentCards();
      const errors = await deleteContent(name, cards, context);
      const left = contentOf(name, cards, context.lister);
      const written = await writeConditions(namespace, left, errors, context);
      if (errors.length > 0) throw errors[0]!;
      if (left.every(({ objects }) => objects.length === 0)) await finalize(written, context);
    },
  });
}

const isContent = (card: AnyResource): boolean => card.scope === "Namespaced" && ["list", "watch", "deletecollection"].every((verb) => card.verbs.includes(verb as "list"));

const nameOf = (card: AnyResource): string => (card.group ? `${card.resource}.${card.group}` : card.resource);

function contentOf(namespace: string, cards: readonly AnyResource[], lister: Listers): Content[] {
  return cards.map((card) => ({ resource: nameOf(card), objects: lister(card).list(namespace) }));
}

/** Asks for all content that may go now to be deleted; goes on past errors, which it returns. */
async function deleteContent(namespace: string, cards: readonly AnyResource[], { client, lister }: ReconcileContext): Promise<Error[]> {
  const errors: Error[] = [];
  for (let wasPods = true; wasPods && errors.length === 0;) {
    const next = nextToDelete(contentOf(namespace, cards, lister));
    for (const { resource } of next) {
      try {
        await client.deleteCollection(cards.find((card) => nameOf(card) === resource)!, { namespace, delete: { propagationPolicy: "Background" } });
      } catch (error) {
        if (!isNotFound(error)) errors.push(error as Error);
      }
    }
    // Pods that were not running are gone at once; then the rest needn't wait for an event.
    wasPods = next.some(({ resource }) => resource === "pods") && lister(cards.find((card) => nameOf(card) === "pods")!).list(namespace).length === 0;
  }
  return errors;
}

async function writeConditions(namespace: Frozen<Namespace>, left: Content[], errors: readonly Error[], { client, now }: ReconcileContext): Promise<Frozen<Namespace>> {
  const failure = errors.length > 0 ? `Failed to delete all resource types, ${errors.length} remaining: ${errors.map((error) => error.message).join(", ")}` : undefined;
  const conditions = namespaceConditions(namespace, left, failure, now());
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
