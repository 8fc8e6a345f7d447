import type { Logger } from "../base/log.ts";
import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { AnyResource, ResourceCard } from "../apimachinery/resource.ts";
import type { PolicyRule } from "../apis/generated/rbac/v1.ts";
import type { Client } from "./client.ts";
import type { Lister } from "./informer.ts";
import type { EventRecorder } from "./recorder.ts";

/** Reads one kind from the shared informers. */
export type Listers = <T extends KubeObject>(card: ResourceCard<T>) => Lister<T>;

/** What `reconcile` is given. One for all calls of a controller. */
export interface ReconcileContext {
  client: Client;
  /** When a write through `client` has resolved, in-process listers already show it. */
  lister: Listers;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds of time that passes, which no setting of the clock changes: how long ago something was seen. */
  monotonic(): number;
  recorder: EventRecorder;
  log: Logger;
  /** Aborts when the controller is asked to stop. */
  signal: AbortSignal;
}

/**
 * When to work on the key again, unless an event wakes it before: `requeueAfter` so many milliseconds, of time that passes; `requeueAt` at a
 * wall time, in milliseconds since the epoch, also when the clock is set meanwhile.
 */
export type ReconcileResult = { requeueAfter?: number; requeueAt?: number } | void;

/** Which keys a change of another kind concerns. `current` is undefined when deleted, `old` when added. Must not throw. */
export interface Watch<T extends KubeObject> {
  card: ResourceCard<T>;
  map(current: Frozen<T> | undefined, old: Frozen<T> | undefined, context: { lister: Listers; now(): number; monotonic(): number }): Iterable<string>;
}

/** A card stands for creating, updating, patching and deleting it and its status. */
export type Write = AnyResource | PolicyRule;

export interface ControllerDefinition<T extends KubeObject> {
  name: string;
  /** Where its Events come from, if Kubernetes has another name for that. */
  eventSource?: string;
  /** The kind whose keys are worked on: every change adds its key. */
  for?: ResourceCard<T>;
  /** Kinds whose changes add the key of their controlling owner of kind `for`. */
  owns?: readonly AnyResource[];
  watches?: readonly Watch<any>[];
  /** Kinds that come and go: `watch` says what changes of each mean, or that they mean nothing. */
  kinds?: { served: ServedKinds; watch(card: AnyResource): Watch<any>["map"] | undefined };
  /** Kinds that are only read. */
  reads?: readonly AnyResource[];
  writes: readonly Write[];
  /** How many keys are worked on at once. Default 1. */
  workers?: number;
  /** Back-off of a key that fails, in milliseconds. Default 5 ms, doubling to 1,000 s. */
  retry?: { baseDelay: number; maxDelay: number };
  /** Makes the world agree with the object of this key, whatever happened before; also called when the object is gone. */
  reconcile(key: string, context: ReconcileContext): Promise<ReconcileResult>;
}

/** The kinds that the server has now. */
export interface ServedKinds {
  /** A new array after each change. */
  readonly cards: readonly AnyResource[];
  /** Returns the unsubscription. */
  onChange(handler: () => void): () => void;
}

export const fixedKinds = (cards: readonly AnyResource[]): ServedKinds => ({ cards, onChange: () => () => undefined });

export type Controller = ControllerDefinition<any>;

/** Keeps the types together, and says in the code where a controller is. */
export function defineController<T extends KubeObject>(definition: ControllerDefinition<T>): Controller {
  return definition;
}

/** Types a watch's `map` by its card. */
export function watchOf<T extends KubeObject>(card: ResourceCard<T>, map: Watch<T>["map"]): Watch<T> {
  return { card, map };
}

/** Trying again won't help: the key is dropped until something changes. */
export class TerminalError extends Error {
  override readonly name = "TerminalError";
}

const isCard = (write: Write): write is AnyResource => "resource" in write;

/** The rules of the controller's RBAC role: reads of what it watches, `writes`, and Events. */
export function rulesOf(controller: Controller): PolicyRule[] {
  const read = new Set(sources(controller));
  const rules: PolicyRule[] = [...read].map((card) => ({ apiGroups: [card.group], resources: [card.resource], verbs: ["get", "list", "watch"] }));
  for (const write of controller.writes) {
    if (!isCard(write)) rules.push(write);
    else {
      // Deleting an owner's finalizers is what blockOwnerDeletion asks for (admission OwnerReferencesPermissionEnforcement).
      const resources = [write.resource, `${write.resource}/finalizers`, ...(write.subresources.status ? [`${write.resource}/status`] : [])];
      rules.push({ apiGroups: [write.group], resources, verbs: ["create", "delete", "get", "patch", "update"] });
    }
  }
  rules.push({ apiGroups: ["", "events.k8s.io"], resources: ["events"], verbs: ["create", "patch", "update"] });
  return rules;
}

/** The kinds a controller reads that are always there. */
export function sources(controller: Controller): AnyResource[] {
  return [...(controller.for ? [controller.for] : []), ...(controller.owns ?? []), ...(controller.watches ?? []).map((w) => w.card), ...(controller.reads ?? [])];
}
