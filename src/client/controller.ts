import type { Clock } from "../base/clock.ts";
import { logger, type Logger } from "../base/log.ts";
import { Workqueue } from "../base/workqueue.ts";
import { keyOf, type Frozen, type KubeObject } from "../apimachinery/meta.ts";
import type { AnyResource, ResourceCard } from "../apimachinery/resource.ts";
import { isConflict, isNotFound } from "../apimachinery/status.ts";
import type { PolicyRule } from "../apis/generated/rbac/v1.ts";
import type { Client } from "./client.ts";
import type { ChangeHandler, InformerFactory, Lister } from "./informer.ts";
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
  recorder: EventRecorder;
  log: Logger;
  /** Aborts when the controller is asked to stop. */
  signal: AbortSignal;
}

/** `requeueAfter`: work on the key again in so many milliseconds, unless an event wakes it before. */
export type ReconcileResult = { requeueAfter?: number } | void;

/** Which keys a change of another kind concerns. `current` is undefined when deleted, `old` when added. Must not throw. */
export interface Watch<T extends KubeObject> {
  card: ResourceCard<T>;
  map(current: Frozen<T> | undefined, old: Frozen<T> | undefined, context: { lister: Listers; now(): number }): Iterable<string>;
}

/** A card stands for creating, updating, patching and deleting it and its status. */
export type Write = AnyResource | PolicyRule;

export interface ControllerDefinition<T extends KubeObject> {
  name: string;
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
  /** Adds all keys of `for` every so many milliseconds. Default: never. */
  resync?: number;
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

function sources(controller: Controller): AnyResource[] {
  return [...(controller.for ? [controller.for] : []), ...(controller.owns ?? []), ...(controller.watches ?? []).map((w) => w.card), ...(controller.reads ?? [])];
}

export interface ControllerDependencies {
  clientFor(name: string): Client;
  recorderFor(name: string): EventRecorder;
  informers: InformerFactory;
  clock: Clock;
}

/** Runs all controllers until `signal` aborts. Resolves when every one has drained: work under way has ended and nothing new begins. */
export async function startControllers(controllers: readonly Controller[], dependencies: ControllerDependencies, signal: AbortSignal): Promise<void> {
  await Promise.all(controllers.map((controller) => runController(controller, dependencies, signal)));
}

async function runController(controller: Controller, dependencies: ControllerDependencies, signal: AbortSignal): Promise<void> {
  const { clock, informers } = dependencies;
  const queue = new Workqueue({ clock });
  const context: ReconcileContext = {
    client: dependencies.clientFor(controller.name),
    recorder: dependencies.recorderFor(controller.name),
    lister: (card) => informers.informer(card).lister,
    now: () => clock.now(),
    log: logger(controller.name),
    signal,
  };
  const unsubscribe = subscribe(controller, context, informers, queue);
  const stop = (): void => queue.shutDown();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    await Promise.all(sources(controller).map((card) => informers.informer(card).synced(signal)));
    const workers = Array.from({ length: controller.workers ?? 1 }, () => work(controller, context, queue));
    if (controller.resync !== undefined) workers.push(resync(controller, controller.resync, context, clock, queue));
    await Promise.all(workers);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", stop);
    for (const end of unsubscribe) end();
  }
}

function subscribe(controller: Controller, context: ReconcileContext, informers: InformerFactory, queue: Workqueue): (() => void)[] {
  const on = (card: AnyResource, handler: ChangeHandler<any>): (() => void) => informers.informer<any>(card).onChange(handler);
  const subscriptions: (() => void)[] = [];
  for (const { card, map } of controller.watches ?? []) {
    subscriptions.push(on(card, (old, current) => {
      for (const key of map(current, old, context)) queue.add(key);
    }));
  }
  if (controller.kinds) subscriptions.push(followKinds(controller.kinds, on, context, queue));
  const owned = controller.for;
  if (!owned) return subscriptions;
  subscriptions.push(on(owned, (old, current) => queue.add(keyOf(current ?? old))));
  const addOwner = ownerAdder(owned, queue);
  for (const card of controller.owns ?? []) {
    subscriptions.push(on(card, (old, current) => {
      addOwner(old);
      addOwner(current);
    }));
  }
  return subscriptions;
}

/** Subscribes to each kind once, whatever the versions it is served in, as long as it is served. */
function followKinds({ served, watch }: NonNullable<Controller["kinds"]>, on: (card: AnyResource, handler: ChangeHandler<any>) => () => void, context: ReconcileContext, queue: Workqueue): () => void {
  const followed = new Map<string, () => void>();
  const follow = (): void => {
    const now = new Map(served.cards.toReversed().map((card) => [`${card.group}/${card.resource}`, card]));
    for (const [name, end] of followed) {
      if (now.has(name)) continue;
      end();
      followed.delete(name);
    }
    for (const [name, card] of now) {
      if (followed.has(name)) continue;
      const map = watch(card);
      followed.set(name, map ? on(card, (old, current) => {
        for (const key of map(current, old, context)) queue.add(key);
      }) : () => undefined);
    }
  };
  follow();
  const unsubscribe = served.onChange(follow);
  return () => {
    unsubscribe();
    for (const end of followed.values()) end();
  };
}

function ownerAdder(card: AnyResource, queue: Workqueue): (object: Frozen<KubeObject> | undefined) => void {
  return (object) => {
    const owner = object?.metadata.ownerReferences?.find((ref) => ref.controller);
    if (!owner || owner.kind !== card.kind || groupOf(owner.apiVersion) !== card.group) return;
    queue.add(card.scope === "Namespaced" ? `${object!.metadata.namespace}/${owner.name}` : owner.name);
  };
}

/** The group of an apiVersion; owners are matched by group, so that a new version of it finds them too. */
const groupOf = (apiVersion: string): string => (apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "");

async function work(controller: Controller, context: ReconcileContext, queue: Workqueue): Promise<void> {
  for (let key = await queue.get(); key !== undefined; key = await queue.get()) {
    if (!context.signal.aborted) await reconcile(controller, key, context, queue);
    queue.done(key);
  }
}

async function reconcile(controller: Controller, key: string, context: ReconcileContext, queue: Workqueue): Promise<void> {
  try {
    const result = await controller.reconcile(key, context);
    queue.forget(key);
    if (result?.requeueAfter !== undefined) queue.addAfter(key, result.requeueAfter);
  } catch (error) {
    if (error instanceof TerminalError) {
      queue.forget(key);
      context.log.error("Gave up until something changes", { key, error });
      return;
    }
    queue.addRateLimited(key);
    if (context.signal.aborted) return;
    // Someone else wrote first, or deleted what was about to be written; the next try reads what is there now.
    if (isConflict(error) || isNotFound(error)) context.log.debug("Reconciling again after a lost race", { key, error });
    else context.log.warn("Reconciling failed, will try again", { key, error, failures: queue.failures(key) });
  }
}

async function resync(controller: Controller, period: number, context: ReconcileContext, clock: Clock, queue: Workqueue): Promise<void> {
  for (;;) {
    try {
      await clock.sleep(period, context.signal);
    } catch {
      return;
    }
    for (const object of context.lister(controller.for!).list()) queue.add(keyOf(object));
  }
}
