import type { Clock } from "../base/clock.ts";
import { logger } from "../base/log.ts";
import { Workqueue } from "../base/workqueue.ts";
import { keyOf, type Frozen, type KubeObject } from "../apimachinery/meta.ts";
import type { AnyResource } from "../apimachinery/resource.ts";
import { isConflict, isNotFound, StatusError } from "../apimachinery/status.ts";
import type { Client } from "./client.ts";
import { sources, TerminalError, type Controller, type ReconcileContext, type Watch } from "./controller.ts";
import type { ControllerMetrics } from "./controller-metrics.ts";
import type { ChangeHandler, InformerFactory } from "./informer.ts";
import type { EventRecorder } from "./recorder.ts";

export interface ControllerDependencies {
  clientFor(name: string): Client;
  /** `source` is what its Events are said to come from. */
  recorderFor(name: string, source: string): EventRecorder;
  informers: InformerFactory;
  clock: Clock;
  metrics?: ControllerMetrics;
}

/** After a controller ended by an error of its own; others go on. */
const restartAfter = 10_000;

/**
 * Runs all controllers until `signal` aborts. Resolves when every one has drained: work under way has ended and nothing new begins. A
 * controller that throws is heard of in the log, in metrics and in an Event of the object; it stops neither others nor its other keys.
 */
export async function startControllers(controllers: readonly Controller[], dependencies: ControllerDependencies, signal: AbortSignal): Promise<void> {
  await Promise.all(controllers.map((controller) => keepRunning(controller, dependencies, signal)));
}

async function keepRunning(controller: Controller, dependencies: ControllerDependencies, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      return await runController(controller, dependencies, signal);
    } catch (error) {
      if (signal.aborted) return;
      dependencies.metrics?.failed(controller.name, "panic");
      logger(controller.name).error("The controller ended, and will be started again", { error });
      await dependencies.clock.sleep(restartAfter, signal).catch(() => undefined);
    }
  }
}

/** A controller at work. */
interface Running {
  controller: Controller;
  context: ReconcileContext;
  queue: Workqueue;
  informers: InformerFactory;
  metrics: ControllerMetrics | undefined;
}

async function runController(controller: Controller, dependencies: ControllerDependencies, signal: AbortSignal): Promise<void> {
  const { clock, informers, metrics } = dependencies;
  const queue = new Workqueue({ clock, ...controller.retry, metrics: metrics?.queue(controller.name) });
  const context: ReconcileContext = {
    client: dependencies.clientFor(controller.name),
    recorder: dependencies.recorderFor(controller.name, controller.eventSource ?? controller.name),
    lister: (card) => informers.informer(card).lister,
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    log: logger(controller.name),
    signal,
  };
  const running: Running = { controller, context, queue, informers, metrics };
  const unfollow = metrics?.follow(controller.name, queue);
  const unsubscribe = subscribe(running);
  const stop = (): void => queue.shutDown();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    await Promise.all(sources(controller).map((card) => informers.informer(card).synced(signal)));
    await Promise.all(Array.from({ length: controller.workers ?? 1 }, () => work(running)));
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", stop);
    queue.shutDown();
    unfollow?.();
    for (const end of unsubscribe) end();
  }
}

type Subscribe = (card: AnyResource, handler: ChangeHandler<any>) => () => void;

function subscribe({ controller, context, queue, informers, metrics }: Running): (() => void)[] {
  /** A handler that throws would take others of the informer with it. */
  const on: Subscribe = (card, handler) => informers.informer<any>(card).onChange((old, current) => {
    try {
      handler(old, current);
    } catch (error) {
      metrics?.failed(controller.name, "panic");
      context.log.error("A change was not understood", { kind: card.kind, key: keyOf(current ?? old), error });
    }
  });
  const mapped = (map: Watch<any>["map"]): ChangeHandler<any> => (old, current) => {
    for (const key of map(current, old, context)) queue.add(key);
  };
  const subscriptions = (controller.watches ?? []).map(({ card, map }) => on(card, mapped(map)));
  if (controller.kinds) subscriptions.push(followKinds(controller.kinds, on, mapped));
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
function followKinds({ served, watch }: NonNullable<Controller["kinds"]>, on: Subscribe, mapped: (map: Watch<any>["map"]) => ChangeHandler<any>): () => void {
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
      followed.set(name, map ? on(card, mapped(map)) : () => undefined);
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

async function work(running: Running): Promise<void> {
  const { context, queue } = running;
  for (let key = await queue.get(); key !== undefined; key = await queue.get()) {
    if (!context.signal.aborted) await reconcile(running, key);
    queue.done(key);
  }
}

async function reconcile(running: Running, key: string): Promise<void> {
  const { controller, context, queue, metrics } = running;
  try {
    const result = await controller.reconcile(key, context);
    queue.forget(key);
    if (result?.requeueAfter !== undefined) queue.addAfter(key, result.requeueAfter);
    if (result?.requeueAt !== undefined) queue.addAt(key, result.requeueAt);
  } catch (error) {
    if (error instanceof TerminalError) {
      queue.forget(key);
      metrics?.failed(controller.name, "terminal");
      context.log.error("Gave up until something changes", { key, error });
      return;
    }
    queue.addRateLimited(key);
    if (context.signal.aborted) return;
    // Someone else wrote first, or deleted what was about to be written; the next try reads what is there now.
    if (isConflict(error) || isNotFound(error)) return context.log.debug("Reconciling again after a lost race", { key, error });
    const refused = error instanceof StatusError;
    metrics?.failed(controller.name, refused ? "error" : "panic");
    context.log.warn("Reconciling failed, will try again", { key, error, failures: queue.failures(key) });
    if (!refused) tellOwner(running, key, error);
  }
}

/** An error that is no server's answer is a fault of the controller's: whoever looks at the object should see it. */
function tellOwner({ controller, context }: Running, key: string, error: unknown): void {
  const object = controller.for && context.lister(controller.for).get(key);
  if (object) context.recorder.event(object, "Warning", "ReconcileError", `${controller.name} failed and will try again: ${error instanceof Error ? error.message : String(error)}`);
}
