import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../src/base/clock.ts";
import { logger } from "../../../src/base/log.ts";
import type { EventRecorder } from "../../../src/client/recorder.ts";
import { eventually } from "../../../test/support/eventually.ts";
import { startFakeLogind, type FakeLogind } from "../../../test/support/fake-logind.ts";
import type { Pod } from "../pod/pod.ts";
import { systemBusSocket } from "./dbus.ts";
import { decodeMessage, encodeMessage, MessageType, type Message } from "./dbus-message.ts";
import { shutdownGroups, shutdownPeriods } from "./plan.ts";
import { GracefulShutdown } from "./shutdown.ts";

const podOf = (name: string, priority?: number, terminationGracePeriodSeconds = 30): Pod => ({ metadata: { name, namespace: "n", uid: name }, spec: { priority, terminationGracePeriodSeconds, containers: [] } });

describe("messages of D-Bus", () => {
  const call: Message = { type: MessageType.methodCall, serial: 7, path: "/org/x", interface: "org.x.Y", member: "Do", destination: "org.x", signature: "ssibtv", body: ["a", "später", -3, true, 5_000_000n, { signature: "u", value: 9 }] };
  test("are read as they were written", () => {
    const bytes = encodeMessage(call);
    expect(decodeMessage(bytes)).toEqual({ message: call, length: bytes.length });
    for (const length of [0, 15, 16, bytes.length - 1]) expect(decodeMessage(bytes.subarray(0, length))).toBeUndefined();
    expect(decodeMessage(Buffer.concat([bytes, bytes]))!.length).toBe(bytes.length);
  });
  test("of a real bus are read", () => {
    // What dbus-daemon 1.14.10 sends after Hello: the answer, and the signal NameAcquired.
    const captured = Buffer.from("6c02010109000000010000003d00000006017300040000003a312e30000000000501750001000000080167000173000007017300140000006f72672e667265656465736b746f702e4442757300000000040000003a312e30006c04010109000000020000008d00000001016f00150000002f6f72672f667265656465736b746f702f4442757300000002017300140000006f72672e667265656465736b746f702e4442757300000000030173000c0000004e616d6541637175697265640000000006017300040000003a312e3000000000080167000173000007017300140000006f72672e667265656465736b746f702e4442757300000000040000003a312e3000", "hex");
    const first = decodeMessage(captured)!;
    expect(first.message).toMatchObject({ type: MessageType.methodReturn, replySerial: 1, destination: ":1.0", sender: "org.freedesktop.DBus", body: [":1.0"] });
    expect(decodeMessage(captured.subarray(first.length))).toMatchObject({ length: captured.length - first.length, message: { type: MessageType.signal, path: "/org/freedesktop/DBus", member: "NameAcquired", body: [":1.0"] } });
  });
  test("that make no sense are refused", () => expect(() => decodeMessage(Buffer.from("HTTP/1.1 400 Bad Request"))).toThrow("not a message of D-Bus"));
  test("go to the bus that the environment names", () => {
    expect(systemBusSocket({})).toBe("/run/dbus/system_bus_socket");
    expect(systemBusSocket({ DBUS_SYSTEM_BUS_ADDRESS: "tcp:host=x;unix:path=/tmp/bus,guid=1" })).toBe("/tmp/bus");
  });
});

describe("the order of the end", () => {
  const names = (periods: Parameters<typeof shutdownGroups>[0], pods: Pod[]) => shutdownGroups(periods, pods).map(({ seconds, pods: group }) => [seconds, ...group.map(({ metadata }) => metadata.name!)]);
  test("critical pods come last", () => {
    expect(shutdownPeriods(30, 10)).toEqual([{ priority: 0, seconds: 20 }, { priority: 2_000_000_000, seconds: 10 }]);
    expect(names(shutdownPeriods(30, 10), [podOf("critical", 2_000_001_000), podOf("plain"), podOf("low", -5)])).toEqual([[20, "plain", "low"], [10, "critical"]]);
    expect(shutdownPeriods(0, 0)).toEqual([]);
    expect(() => shutdownPeriods(5, 10)).toThrow("of 5 s");
  });
  test("or by priorities; groups without pods take no time", () => expect(names([{ priority: 1000, seconds: 3 }, { priority: 0, seconds: 1 }, { priority: 500, seconds: 2 }], [podOf("a", 499), podOf("b", 1000), podOf("c", 5000)])).toEqual([[1, "a"], [3, "b", "c"]]));
});

describe("a machine with logind", () => {
  let directory: string, logind: FakeLogind;
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "skiff-logind-"));
    logind = await startFakeLogind(directory);
  });
  afterEach(async () => {
    await logind[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  function nodeOf(pods: Pod[], periods = shutdownPeriods(30, 10), goesDown = false) {
    const evicted: unknown[][] = [], events: string[] = [];
    const ends = new Map<string, () => void>();
    const stop = new AbortController();
    const shutdown = new GracefulShutdown({
      clock: systemClock, log: logger("test"), nodeName: "node", periods, pods: () => pods, onChange: () => undefined, goesDown: () => Promise.resolve(goesDown),
      recorder: { event: (_: unknown, __: string, reason: string, message: string) => events.push(`${reason}: ${message}`) } as unknown as EventRecorder,
      logind: { socket: logind.socket, configDirectory: logind.configDirectory, inhibit: () => logind.inhibit() },
      evict: (uid, { reason }, seconds) => {
        evicted.push([uid, reason, seconds]);
        return new Promise((resolve) => ends.set(uid, resolve));
      },
    });
    const running = shutdown.run(stop.signal);
    return { shutdown, evicted, events, end: (uid: string) => ends.get(uid)!(), [Symbol.asyncDispose]: async () => (stop.abort(), running) };
  }

  test("waits until pods have ended, lesser ones first, and takes no new ones", async () => {
    await using node = nodeOf([podOf("critical", 2_000_000_000, 5), podOf("plain", 0, 60)]);
    await eventually(() => expect([logind.locks, logind.delay, logind.watched]).toEqual([1, 30, true]));
    expect([node.shutdown.reason, node.shutdown.rejection()]).toEqual([undefined, undefined]);
    logind.announce(true);
    await eventually(() => expect(node.evicted).toEqual([["plain", "Terminated", 20]]));
    expect([node.shutdown.reason, node.shutdown.rejection()?.reason, logind.locks]).toEqual(["node is shutting down", "NodeShutdown", 1]);
    node.end("plain");
    await eventually(() => expect(node.evicted).toEqual([["plain", "Terminated", 20], ["critical", "Terminated", 5]]));
    expect(logind.locks).toBe(1);
    node.end("critical");
    await eventually(() => expect(logind.locks).toBe(0));
    expect(node.events).toEqual(["Shutdown: Shutdown manager detected shutdown event"]);
  });

  test("that stays up after all takes pods again, and is put off again next time", async () => {
    await using node = nodeOf([]);
    await eventually(() => expect(logind.locks).toBe(1));
    logind.announce(true);
    await eventually(() => expect([node.shutdown.reason, logind.locks]).toEqual(["node is shutting down", 0]));
    logind.announce(false);
    await eventually(() => expect([node.shutdown.reason, logind.locks]).toEqual([undefined, 1]));
  });

  test("whose bus is restarted is listened to again", async () => {
    await using node = nodeOf([]);
    await eventually(() => expect(logind.locks).toBe(1));
    logind.disconnect();
    await eventually(() => expect([logind.watched, logind.locks]).toEqual([true, 1]));
    logind.announce(true);
    await eventually(() => expect(node.shutdown.reason).toBe("node is shutting down"));
  });

  test("that has enough time for pods keeps its configuration", async () => {
    logind.delay = 60;
    await using _node = nodeOf([]);
    await eventually(() => expect([logind.locks, logind.delay]).toEqual([1, 60]));
  });

  test("pods end before this process, if it ends with the machine; else they run on", async () => {
    await using up = nodeOf([podOf("a")]);
    await up.shutdown.beforeEnd();
    expect(up.evicted).toEqual([]);
    await using down = nodeOf([podOf("a")], [{ priority: 0, seconds: 5 }], true);
    const ended = down.shutdown.beforeEnd();
    await eventually(() => expect(down.evicted).toEqual([["a", "Terminated", 5]]));
    down.end("a");
    await ended;
  });

  test("a node that stops while it connects, or while logind reads its configuration, has stopped", async () => {
    for (const until of [() => Bun.sleep(0), () => eventually(() => expect(logind.watched).toBe(true)), () => eventually(() => expect(logind.locks).toBe(1))]) {
      const node = nodeOf([]);
      await until();
      await node[Symbol.asyncDispose]();
      expect(logind.locks).toBe(0);
      logind.disconnect();
    }
    const started = nodeOf([]);
    await started[Symbol.asyncDispose]();
  });

  test("without periods nobody listens", async () => {
    await using node = nodeOf([podOf("a")], [], true);
    await node.shutdown.run(new AbortController().signal);
    await node.shutdown.beforeEnd();
    expect([logind.watched, node.evicted]).toEqual([false, []]);
  });
});
