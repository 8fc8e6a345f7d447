import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../../test/support/eventually.ts";
import { isInsufficientStorage } from "../../apimachinery/status.ts";
import { configmaps, events } from "../../apis/builtins.ts";
import type { Event } from "../../apis/generated/core/v1.ts";
import { systemClock } from "../../base/clock.ts";
import { createEventRecorder } from "../../client/recorder.ts";
import { startRegistry } from "../../registry/testing/fixture.ts";
import { openEngine } from "./engine.ts";
import { recordDatastore, serverReference } from "./events.ts";

test("that nothing new can be stored is told by an Event, which is; and so is the end of that", async () => {
  const directory = mkdtempSync(join(tmpdir(), "skiff-datastore-events-")), stop = new AbortController();
  const engine = await openEngine({ options: { maxBytes: 2 << 20, eventTtlMs: 1000, encryption: { enable: false, resources: [] } }, databaseFile: join(directory, "db/state.db"), clock: systemClock, onFatal: (error) => { throw error; } });
  const { client, ...fixture } = await startRegistry({ storage: engine.storage });
  try {
    const recorder = createEventRecorder({ client, events, component: "datastore", clock: systemClock }, stop.signal);
    const end = recordDatastore({ engine, recorder, about: serverReference({ nodeName: "edge-1", disableAgent: false }) });
    const told = async (): Promise<Event[]> => structuredClone((await client.list(events, { namespace: "default" })).items as Event[]);
    const map = (name: string) => ({ metadata: { namespace: "default", name }, data: { text: crypto.getRandomValues(Buffer.alloc(50_000)).toString("base64") } });
    const names: string[] = [];
    let refusal: unknown;
    while (!refusal) await client.create(configmaps, map(`map-${names.length}`)).then(({ metadata }) => names.push(metadata.name!), (error: unknown) => (refusal = error));
    expect(isInsufficientStorage(refusal)).toBe(true);
    await eventually(async () => expect(await told()).toMatchObject([{ type: "Warning", reason: "DatabaseFull", message: expect.stringContaining("(--datastore-max-size)"), involvedObject: { kind: "Node", name: "edge-1" } }]));

    for (const name of names) await client.delete(configmaps, { namespace: "default", name });
    await client.create(configmaps, map("again"));
    await eventually(async () => expect((await told()).map(({ type, reason }) => [type, reason])).toEqual([["Warning", "DatabaseFull"], ["Normal", "DatabaseHasRoom"]]));
    end();

    // Who begins to listen hears how it is.
    engine.shortage.tell("the disk is full");
    recordDatastore({ engine, recorder, about: serverReference({ nodeName: "edge-1", disableAgent: true }) })();
    await eventually(async () => expect((await client.list(events, { namespace: "kube-system" })).items).toMatchObject([{ reason: "DatabaseFull", message: "Nothing new can be stored: the disk is full" }]));
  } finally {
    stop.abort();
    await fixture[Symbol.asyncDispose]();
    await engine.storage.close();
    rmSync(directory, { recursive: true });
  }
});
