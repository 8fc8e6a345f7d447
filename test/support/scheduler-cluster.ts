import { expect } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";
import { createMetrics, type MetricsRegistry } from "../../src/base/metrics.ts";
import type { Frozen } from "../../src/apimachinery/meta.ts";
import { events, namespaces, nodes, pods, serviceaccounts } from "../../src/apis/builtins.ts";
import type { Event, Node, Pod, PodCondition, PodSpec } from "../../src/apis/generated/core/v1.ts";
import type { Client } from "../../src/client/client.ts";
import { createEventRecorder } from "../../src/client/recorder.ts";
import { startRegistry, type RegistryFixture } from "../../src/registry/testing/fixture.ts";
import { createSchedulerMetrics } from "../../src/scheduler/scheduler-metrics.ts";
import { createScheduler, type SchedulerOptions } from "../../src/scheduler/scheduler.ts";
import { eventually } from "./eventually.ts";

export const namespace = "shop";

export interface SchedulerCluster extends RegistryFixture {
  /** As a node is once it is ready: with room, and without the taint that new nodes have. */
  addNode(name: string, shape?: { cpu?: string; labels?: Record<string, string>; resources?: Record<string, string> } & Node["spec"]): Promise<void>;
  addPod(name: string, spec?: Partial<PodSpec>, requests?: Record<string, string>, labels?: Record<string, string>): Promise<Frozen<Pod>>;
  /** Changes the pod, or with `subresource` its status. */
  patchPod(name: string, body: unknown, subresource?: string): Promise<unknown>;
  getPod(name: string): Promise<Frozen<Pod>>;
  /** At once, as a kubelet does when the containers have ended. */
  removePod(name: string): Promise<void>;
  /** Where it is, as soon as it is somewhere. */
  nodeOf(name: string): Promise<string>;
  scheduled(name: string): Promise<Frozen<PodCondition> | undefined>;
  /** Waits until PodScheduled says so. */
  says(name: string, message: string, reason?: string): Promise<void>;
  eventsOf(name: string): Promise<Frozen<Event>[]>;
  metrics(): MetricsRegistry;
  /** Another scheduler over the same objects, when the one before has stopped. */
  restart(options?: Partial<SchedulerOptions>): Promise<void>;
  stop(): Promise<void>;
}

/** The registry in process, and a scheduler; no kubelets. */
export async function startSchedulerCluster(options: Partial<SchedulerOptions> & { wrap?: (client: Client) => Client } = {}): Promise<SchedulerCluster> {
  const fixture = await startRegistry();
  const { client, informers } = fixture;
  await client.create(namespaces, { metadata: { name: namespace }, spec: {} });
  await client.create(serviceaccounts, { metadata: { name: "default", namespace } });
  const merge = "application/merge-patch+json" as const;
  let stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();
  let registry = createMetrics();

  function start({ wrap = (it: Client) => it, ...others }: typeof options): void {
    stopping = new AbortController();
    registry = createMetrics();
    running = createScheduler({
      client: wrap(client), informers, clock: systemClock, metrics: createSchedulerMetrics(registry), log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined } as never,
      recorderFor: (component) => createEventRecorder({ client, events, component, clock: systemClock }, stopping.signal), ...others,
    }).run(stopping.signal);
  }
  async function stop(): Promise<void> {
    stopping.abort();
    await running;
  }
  start(options);

  const cluster: SchedulerCluster = {
    ...fixture,
    async addNode(name, { cpu = "2", labels = {}, resources = {}, taints = [], ...spec } = {}) {
      await client.create(nodes, { metadata: { name, labels: { "kubernetes.io/hostname": name, ...labels } }, spec });
      const room = { cpu, memory: "4Gi", pods: "20", ...resources };
      await client.patch(nodes, { name }, { type: merge, body: { status: { capacity: room, allocatable: room } } }, { subresource: "status" });
      await client.patch(nodes, { name }, { type: merge, body: { spec: { taints } } });
    },
    addPod: (name, spec = {}, requests = { cpu: "1" }, labels = { app: "web" }) =>
      client.create(pods, { metadata: { name, namespace, labels }, spec: { containers: [{ name: "main", image: "web:1", resources: { requests, limits: extendedOf(requests) } }], ...spec } }),
    patchPod: (name, body, subresource) => client.patch(pods, { namespace, name }, { type: merge, body }, subresource ? { subresource } : {}),
    getPod: (name) => client.get(pods, { namespace, name }),
    removePod: (name) => client.delete(pods, { namespace, name }, { gracePeriodSeconds: 0 }),
    nodeOf: (name) => eventually(async () => {
      const { nodeName } = (await cluster.getPod(name)).spec;
      expect(nodeName).toBeString();
      return nodeName!;
    }),
    scheduled: async (name) => (await cluster.getPod(name)).status?.conditions?.find(({ type }) => type === "PodScheduled"),
    says: (name, message, reason = "Unschedulable") => eventually(async () => expect(await cluster.scheduled(name)).toMatchObject({ status: "False", reason, message })),
    eventsOf: async (name) => (await client.list(events, { namespace })).items.filter(({ involvedObject }) => involvedObject.name === name),
    metrics: () => registry,
    async restart(others = {}) {
      await stop();
      start({ ...options, ...others });
    },
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      await fixture[Symbol.asyncDispose]();
    },
  };
  return cluster;
}

/** Extended resources are limited to what is asked for. */
const extendedOf = (requests: Record<string, string>): Record<string, string> => Object.fromEntries(Object.entries(requests).filter(([name]) => name.includes("/")));
