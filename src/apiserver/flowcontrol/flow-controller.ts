import type { Frozen } from "../../apimachinery/meta.ts";
import type { FlowSchema, PriorityLevelConfiguration } from "../../apis/generated/flowcontrol/v1.ts";
import type { MetricsRegistry } from "../../base/metrics.ts";
import type { UserInfo } from "../../registry/attributes.ts";
import type { RequestInfo } from "../request-info.ts";
import { FairQueue, type Waiting } from "./fair-queue.ts";
import { distinguisherOf, matchesFlowSchema } from "./match.ts";
import { flowMetrics } from "./metrics.ts";
import { mayTake, seatLimits, type SeatLimits, type SeatUse } from "./seats.ts";

export interface FlowControlOptions {
  /** What is stored now; asked again after `invalidate`. */
  configuration(): { flowSchemas: readonly Frozen<FlowSchema>[]; priorityLevels: readonly Frozen<PriorityLevelConfiguration>[] };
  /** Requests that may run at once, weighed by their width; for all limited levels together. */
  totalSeats: number;
  /** How long a request may wait in a queue. */
  queueWaitMs: number;
  metrics: MetricsRegistry;
}

/** Where a request belongs. */
export interface Classified {
  schema: Frozen<FlowSchema>;
  level: Level;
  flow: string;
}

export type Rejection = "queue-full" | "time-out" | "concurrency-limit" | "cancelled";

export interface FlowController {
  /** Undefined while there is no configuration. */
  classify(user: UserInfo, info: RequestInfo): Classified | undefined;
  /** Resolves, or answers at once, when the request may run: then `release` has to be called when it has ended. */
  acquire(classified: Classified, width: number, signal: () => AbortSignal): Ticket | Promise<Ticket>;
  /** The configuration has changed. Requests that run or wait end under the old one. */
  invalidate(): void;
}

/** Seats held, or why there are none. */
export type Ticket = { rejected: Rejection } | { rejected?: undefined; release(): void };

interface Level extends SeatUse {
  readonly object: Frozen<PriorityLevelConfiguration>;
  readonly name: string;
  /** Absent where requests that find no seat are refused. */
  readonly queue?: FairQueue;
}

/** Narrow requests dispatched in one turn of the event loop. Wide ones have a turn each, so that others are heard between them. */
const narrowPerTurn = 8;
/** Kinds of requests that are remembered of a user: names in paths are the user's choice. */
const mostClasses = 256;
/** Exempt requests take no seats. */
const none: SeatLimits = { nominal: 0, least: 0, most: 0 };
const free: Ticket = { release: () => undefined };

/**
 * API priority and fairness (KEP-1040) for one thread: what runs long on a single thread is not held up by a lack of threads but by its place in
 * line, so wide requests always queue and run one a turn of the event loop, whatever seats are free.
 */
export function createFlowController({ configuration, totalSeats, queueWaitMs, metrics }: FlowControlOptions): FlowController {
  const series = flowMetrics(metrics);
  let schemas: readonly Frozen<FlowSchema>[] | undefined;
  let levels = new Map<string, Level>();
  /** Where users' requests belong, by what they are about. */
  let classes = new WeakMap<UserInfo, Map<string, Classified | undefined>>();
  const draining = new Set<Level>();
  let pumping = false;

  function configure(): void {
    const stored = configuration();
    const limits = seatLimits(stored.priorityLevels, totalSeats);
    const before = levels;
    levels = new Map(stored.priorityLevels.map((object) => {
      const name = object.metadata.name!;
      const known = before.get(name);
      // Only what has changed begins anew: requests that run keep their seats where they took them.
      if (known && Bun.deepEquals(known.object.spec, object.spec) && Bun.deepEquals(known.limits, limits.get(name) ?? none)) return [name, known];
      return [name, { object, name, limits: limits.get(name) ?? none, inUse: 0, queue: queueOf(object) }];
    }));
    for (const [name, level] of before) if (levels.get(name) !== level && level.queue?.length) draining.add(level);
    for (const { name, limits: { nominal } } of levels.values()) if (nominal > 0) series.nominal.set(nominal, [name]);
    classes = new WeakMap();
    schemas = stored.flowSchemas.filter(({ spec }) => levels.has(spec.priorityLevelConfiguration.name)).toSorted((a, b) => a.spec.matchingPrecedence - b.spec.matchingPrecedence || (a.metadata.name! < b.metadata.name! ? -1 : 1));
  }

  function classify(user: UserInfo, info: RequestInfo): Classified | undefined {
    const schema = schemas!.find((each) => matchesFlowSchema(each, user, info));
    const level = schema && levels.get(schema.spec.priorityLevelConfiguration.name);
    return level && { schema: schema!, level, flow: `${schema!.metadata.name}\0${distinguisherOf(schema!, user, info)}` };
  }

  const fits = (level: Level, width: number): boolean => mayTake(level, width, levels.values(), totalSeats);

  function run({ schema, level }: Classified, width: number, waited: number, queued?: Waiting): Ticket {
    level.inUse += width;
    const labels = [level.name, schema.metadata.name!];
    series.dispatched.inc(labels);
    series.executing.add(1, labels);
    series.seats.add(width, labels);
    series.wait.observe(waited / 1000, [level.name]);
    const began = performance.now();
    let released = false;
    return {
      release() {
        if (released) return;
        released = true;
        level.inUse -= width;
        series.executing.add(-1, labels);
        series.seats.add(-width, labels);
        if (queued) level.queue?.settle(queued.queue, width, (performance.now() - began) / 1000);
        pump();
      },
    };
  }

  function reject({ schema, level }: Classified, reason: Rejection): Ticket {
    series.rejected.inc([level.name, schema.metadata.name!, reason]);
    return { rejected: reason };
  }

  /** Dispatches what has seats in the next turn of the event loop, after the sockets have been read. */
  function pump(): void {
    if (pumping || ![...levels.values(), ...draining].some(({ queue }) => queue && queue.length > 0)) return;
    pumping = true;
    setImmediate(() => {
      pumping = false;
      let wide = 0, dispatched = 0;
      for (const level of [...levels.values(), ...draining]) {
        for (let narrow = 0; narrow < narrowPerTurn;) {
          const next = level.queue?.next();
          if (!next || !fits(level, next.width) || (next.width > 1 && wide > 0)) break;
          if (next.width > 1) wide++;
          narrow++;
          dispatched++;
          level.queue!.take(next);
          next.start();
        }
        if (level.queue?.length === 0) draining.delete(level);
      }
      if (dispatched > 0 || wide > 0) pump();
    });
  }

  function enqueue(classified: Classified, width: number, signal: AbortSignal): Ticket | Promise<Ticket> {
    const { level, flow, schema } = classified;
    const queue = level.queue!;
    const { promise, resolve } = Promise.withResolvers<Ticket>();
    const arrived = performance.now();
    const inQueue = [level.name, schema.metadata.name!];
    const leave = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", cancel);
      series.inQueue.add(-1, inQueue);
    };
    const waiting: Waiting = {
      width, queue: queue.queueFor(flow),
      start() {
        leave();
        resolve(run(classified, width, performance.now() - arrived, waiting));
      },
    };
    const giveUp = (reason: Rejection): void => {
      if (!queue.remove(waiting)) return;
      leave();
      resolve(reject(classified, reason));
    };
    const cancel = (): void => giveUp("cancelled");
    if (signal.aborted) return reject(classified, "cancelled");
    if (!queue.add(waiting)) return reject(classified, "queue-full");
    const timer = setTimeout(() => giveUp("time-out"), queueWaitMs);
    signal.addEventListener("abort", cancel, { once: true });
    series.inQueue.add(1, inQueue);
    pump();
    return promise;
  }

  return {
    classify(user, info) {
      if (!schemas) configure();
      let known = classes.get(user);
      if (!known) classes.set(user, known = new Map<string, Classified | undefined>());
      const key = `${info.verb} ${info.isResource ? `${info.group} ${info.resource}/${info.subresource} ${info.namespace}` : info.path}`;
      if (known.has(key)) return known.get(key);
      const classified = classify(user, info);
      if (known.size >= mostClasses) known.clear();
      known.set(key, classified);
      return classified;
    },
    acquire(classified, asked, signal) {
      const { level } = classified;
      if (level.object.spec.type === "Exempt") return free;
      const width = Math.min(asked, level.limits.nominal);
      if (!level.queue) return fits(level, width) ? run(classified, width, 0) : reject(classified, "concurrency-limit");
      if (width === 1 && level.queue.length === 0 && fits(level, width)) return run(classified, width, 0);
      return enqueue(classified, width, signal());
    },
    invalidate() {
      schemas = undefined;
    },
  };
}

function queueOf({ spec: { limited } }: Frozen<PriorityLevelConfiguration>): FairQueue | undefined {
  if (limited?.limitResponse?.type !== "Queue") return undefined;
  const { queues = 64, handSize = 8, queueLengthLimit = 50 } = limited.limitResponse.queuing ?? {};
  return new FairQueue({ queues, handSize, queueLengthLimit });
}
