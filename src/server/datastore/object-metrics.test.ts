import { expect, test } from "bun:test";
import { configmaps, events } from "../../apis/builtins.ts";
import { regardingEvents } from "../../apis/events/event.ts";
import { createMetrics } from "../../base/metrics.ts";
import { startRegistry } from "../../registry/testing/fixture.ts";
import { registerObjectMetrics } from "./object-metrics.ts";

test("objects are counted by kind, as they are stored", async () => {
  const { registry, cacher, client, ...fixture } = await startRegistry();
  try {
    const metrics = createMetrics();
    registerObjectMetrics(metrics, { cards: () => registry.cards, count: (prefix) => cacher.count(prefix) });
    for (const name of ["a", "b"]) await client.create(configmaps, { metadata: { namespace: "default", name } });
    const lines = metrics.render().split("\n");
    for (const line of [
      'apiserver_storage_objects{resource="configmaps"} 2', 'apiserver_resource_objects{group="",resource="configmaps"} 2', 'apiserver_storage_objects{resource="namespaces"} 4',
      'apiserver_storage_objects{resource="deployments.apps"} 0', 'apiserver_resource_objects{group="apps",resource="deployments"} 0', 'apiserver_storage_objects{resource="horizontalpodautoscalers.autoscaling"} 0',
    ]) expect(lines).toContain(line);
    // One kind in two groups, and a question.
    expect([events, regardingEvents].map(({ group }) => group)).toEqual(["", "events.k8s.io"]);
    expect(lines.filter((line) => /resource="(events|tokenreviews)/.test(line))).toEqual(['apiserver_storage_objects{resource="events"} 0', 'apiserver_resource_objects{group="",resource="events"} 0']);
  } finally {
    await fixture[Symbol.asyncDispose]();
  }
});
