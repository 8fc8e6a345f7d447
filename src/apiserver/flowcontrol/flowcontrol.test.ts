import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { PriorityLevelConfiguration } from "../../apis/generated/flowcontrol/v1.ts";
import { mandatory, suggested } from "../../apis/flowcontrol/bootstrap.ts";
import { newExchange } from "../exchange.ts";
import { requestInfo } from "../request-info.ts";
import { FairQueue, type Waiting } from "./fair-queue.ts";
import { matchesFlowSchema } from "./match.ts";
import { mayTake, seatLimits, type SeatUse } from "./seats.ts";
import { dealHand } from "./shuffle-shard.ts";
import { widthOf } from "./width.ts";

const level = (name: string, shares: number, lendablePercent = 0, borrowingLimitPercent?: number): PriorityLevelConfiguration => ({ metadata: { name }, spec: { type: "Limited", limited: { nominalConcurrencyShares: shares, lendablePercent, borrowingLimitPercent } } });

describe("requests go to the flow schema of Kubernetes' own configuration", () => {
  const schemas = [...mandatory.flowSchemas, ...suggested.flowSchemas].toSorted((a, b) => a.spec.matchingPrecedence - b.spec.matchingPrecedence);
  const authenticated = "system:authenticated";
  test.each([
    ["admin", ["system:masters", authenticated], "GET", "/api/v1/pods", "exempt"],
    ["system:node:a", ["system:nodes", authenticated], "PATCH", "/api/v1/nodes/a/status", "system-node-high"],
    ["system:node:a", ["system:nodes", authenticated], "GET", "/api/v1/namespaces/x/secrets/s", "system-nodes"],
    ["system:serviceaccount:default:app", ["system:serviceaccounts", authenticated], "GET", "/api/v1/pods", "service-accounts"],
    ["alice", ["dev", authenticated], "GET", "/api/v1/pods", "global-default"],
    ["system:anonymous", ["system:unauthenticated"], "GET", "/healthz", "probes"],
  ])("%s %j %s %s: %s", (name, groups, method, path, wanted) => {
    const url = new URL(path, "http://x");
    const info = requestInfo(method, url.pathname, url.searchParams);
    expect(schemas.find((schema) => matchesFlowSchema(schema, { name, groups }, info))?.metadata.name).toBe(wanted);
  });
});

describe("seats", () => {
  const limits = seatLimits([level("a", 30, 50), level("b", 60, 0, 100), level("c", 10, 100, 0)], 100);
  const use = (inUse: Record<string, number>): Map<string, SeatUse> => new Map([...limits].map(([name, each]) => [name, { limits: each, inUse: inUse[name] ?? 0 }]));
  const may = (name: string, width: number, inUse: Record<string, number>): boolean => {
    const all = use(inUse);
    return mayTake(all.get(name)!, width, all.values(), 100);
  };

  test("are shared out", () => {
    expect(Object.fromEntries(limits)).toEqual({ a: { nominal: 30, least: 15, most: 100 }, b: { nominal: 60, least: 60, most: 120 }, c: { nominal: 10, least: 1, most: 10 } });
  });

  test.each([
    ["its own", "a", 30, {}, true], ["borrowed, of what others lend and don't use", "a", 39, {}, true], ["not what others keep", "a", 40, {}, false],
    ["its least, even when all is lent out", "a", 15, { b: 60, c: 10 }, true], ["not more than the borrowing limit", "c", 11, {}, false],
    ["its own back when borrowers have ended", "a", 30, { b: 69 }, true], ["not before", "a", 30, { b: 75 }, false],
  ] as [string, string, number, Record<string, number>, boolean][])("a level may take %s", (_, name, width, inUse, wanted) => expect(may(name, width, inUse)).toBe(wanted));
});

test("a hand is of different queues, the same for the same flow", () => {
  fc.assert(fc.property(fc.string(), fc.integer({ min: 1, max: 128 }), fc.integer({ min: 1, max: 8 }), (flow, deck, size) => {
    const hand = dealHand(flow, deck, size);
    expect(new Set(hand).size).toBe(Math.min(size, deck));
    expect(hand.every((card) => card >= 0 && card < deck)).toBe(true);
    expect(dealHand(flow, deck, size)).toEqual(hand);
  }));
});

test("queues are served by the work they had, not by how much waits in them", () => {
  const queue = new FairQueue({ queues: 2, handSize: 1, queueLengthLimit: 10 });
  const flows = ["a", "b", "c", "d", "e", "f"].map((flow) => ({ flow, queue: queue.queueFor(flow) }));
  const greedy = flows[0]!, other = flows.find((each) => each.queue !== greedy.queue)!;
  const served: string[] = [];
  const add = (name: string, { queue: into }: typeof greedy, width: number): boolean => queue.add({ width, queue: into, start: () => void served.push(name) });
  for (let i = 0; i < 10; i++) add("greedy", greedy, 5);
  expect(add("greedy", greedy, 5)).toBe(false);
  for (let i = 0; i < 3; i++) add("other", other, 1);
  for (let next: Waiting | undefined = queue.next(); next; next = queue.next()) {
    queue.take(next);
    next.start();
  }
  expect(served.indexOf("other")).toBeLessThanOrEqual(1);
  expect(served.lastIndexOf("other")).toBeLessThanOrEqual(4);
  expect(queue.length).toBe(0);
});

describe("the width of a request", () => {
  const width = (method: string, url: string): number => {
    const exchange = newExchange({ method, url, headers: {}, remoteAddress: "", body: async () => new Uint8Array(), signal: new AbortController().signal }, undefined as never);
    exchange.info = requestInfo(method, exchange.path, exchange.query);
    return widthOf(exchange, () => 450);
  };
  test.each([
    ["GET", "/api/v1/pods", 5], ["GET", "/api/v1/pods?limit=100", 1], ["GET", "/api/v1/pods?limit=100&labelSelector=a", 5], ["GET", "/api/v1/namespaces/a/pods/p", 1],
    ["GET", "/api/v1/pods?watch=1", 5], ["GET", "/api/v1/pods?watch=1&resourceVersion=5", 1], ["GET", "/api/v1/pods?watch=1&resourceVersion=5&sendInitialEvents=true", 5], ["POST", "/api/v1/namespaces/a/pods", 1], ["GET", "/healthz", 1],
  ])("%s %s is %d", (method, url, wanted) => expect(width(method, url)).toBe(wanted));
});
