import { resetSync } from "@logtape/logtape";
import { describe, expect, onTestFinished, test } from "bun:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import type { Frozen } from "../apimachinery/meta.ts";
import { configureLogging } from "../base/log.ts";
import { forbidden, internalError, notFound } from "../apimachinery/status.ts";
import { events } from "../apis/builtins.ts";
import type { Event, Pod } from "../apis/generated/core/v1.ts";
import type { Client } from "./client.ts";
import { createEventRecorder } from "./recorder.ts";

const about: Frozen<Pod> = { apiVersion: "v1", kind: "Pod", metadata: { name: "p", namespace: "d", uid: "u", resourceVersion: "7" }, spec: { containers: [] } };

function start(refuse: () => Error | undefined = () => undefined) {
  const clock = new FakeClock();
  const stop = new AbortController();
  const written = new Map<string, Event>();
  const client = {
    async create(_card: unknown, event: Event) {
      const error = refuse();
      if (error) throw error;
      written.set(event.metadata.name!, structuredClone(event));
      return event;
    },
    async patch(_card: unknown, { name }: { name: string }, { body }: { body: Partial<Event> }) {
      const event = written.get(name);
      if (!event) throw notFound(events, name);
      written.set(name, { ...event, ...body });
      return written.get(name)!;
    },
  } as unknown as Client;
  return { clock, written, recorder: createEventRecorder({ client, events, component: "tester", host: "n1", clock }, stop.signal) };
}
const shown = (written: Map<string, Event>): [string, number][] => [...written.values()].map((e) => [e.message!, e.count!]);

describe("the recorder", () => {
  test("writes what kubectl shows", async () => {
    const { recorder, written } = start();
    recorder.event(about, "Warning", "Failed", "it broke");
    await recorder.idle();
    const { metadata, ...event } = [...written.values()][0]!;
    expect(metadata.name).toMatch(/^p\.[0-9a-f]+$/);
    expect(metadata.namespace).toBe("d");
    expect(event).toEqual({
      apiVersion: "v1", kind: "Event", involvedObject: { apiVersion: "v1", kind: "Pod", namespace: "d", name: "p", uid: "u", resourceVersion: "7" }, reason: "Failed", message: "it broke", type: "Warning", count: 1,
      firstTimestamp: "2026-01-01T00:00:00Z", lastTimestamp: "2026-01-01T00:00:00Z", eventTime: null, source: { component: "tester", host: "n1" }, reportingComponent: "tester", reportingInstance: "n1",
    });
  });

  test("counts repeats, and starts anew when the first has expired", async () => {
    const { clock, recorder, written } = start();
    for (let i = 0; i < 3; i++) {
      recorder.event(about, "Normal", "Pulled", "again");
      await clock.advance(5000);
    }
    expect(shown(written)).toEqual([["again", 3]]);
    expect([...written.values()][0]).toMatchObject({ firstTimestamp: "2026-01-01T00:00:00Z", lastTimestamp: "2026-01-01T00:00:10Z" });
    written.clear();
    recorder.event(about, "Normal", "Pulled", "again");
    await recorder.idle();
    expect(shown(written)).toEqual([["again", 4]]);
  });

  test("combines many that differ by their message alone", async () => {
    const { recorder, written } = start();
    for (let i = 1; i <= 15; i++) recorder.event(about, "Normal", "Pulled", `number ${i}`);
    await recorder.idle();
    expect(shown(written).slice(8)).toEqual([["number 9", 1], ["(combined from similar events): number 15", 6]]);
  });

  test("drops spam about one object, not about others", async () => {
    const { clock, recorder, written } = start();
    for (let i = 0; i < 40; i++) recorder.event(about, "Normal", `Reason${i}`, "m");
    recorder.event({ ...about, metadata: { ...about.metadata, name: "q", uid: "v" } }, "Normal", "Fine", "m");
    await recorder.idle();
    expect(written.size).toBe(26);
    await clock.advance(300_000);
    recorder.event(about, "Normal", "Later", "m");
    await recorder.idle();
    expect(written.size).toBe(27);
  });

  test("tries again when the server is down, gives up when it says no", async () => {
    let error: Error | undefined = internalError("down");
    const { clock, recorder, written } = start(() => error);
    recorder.event(about, "Normal", "A", "m");
    await clock.advance(1);
    error = undefined;
    await clock.advance(20_000);
    expect(written.size).toBe(1);
    error = forbidden(events, "", "the namespace is being terminated");
    recorder.event(about, "Normal", "B", "m");
    await recorder.idle();
    error = undefined;
    await clock.advance(60_000);
    expect(written.size).toBe(1);
  });

  test("warns of an Event that was refused, not of one whose namespace is going away", async () => {
    const lines: string[] = [];
    configureLogging({ level: "warning", format: "text", write: (line) => lines.push(line) });
    onTestFinished(() => resetSync());
    const refused = forbidden(events, "e", "no"), going = forbidden(events, "e", "unable to create new content in namespace d because it is being terminated");
    going.status.details!.causes = [{ reason: "NamespaceTerminating", message: "namespace d is being terminated", field: "metadata.namespace" }];
    for (const error of [going, refused]) {
      const { recorder } = start(() => error);
      recorder.event(about, "Normal", error === going ? "Going" : "Refused", "m");
      await recorder.idle();
    }
    expect(lines).toEqual([expect.stringContaining("Event not recorded reason=Refused")]);
  });
});
