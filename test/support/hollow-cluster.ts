import { hollowNodes, type HollowNodes, type HollowOptions } from "../../agents/hollow/hollow.ts";
import type { NodeShape } from "../../agents/hollow/node-shape.ts";
import { systemClock, type Clock } from "../../src/base/clock.ts";
import { events, namespaces, pods } from "../../src/apis/builtins.ts";
import type { Pod } from "../../src/apis/generated/core/v1.ts";
import type { Controller } from "../../src/client/controller.ts";
import { createEventRecorder } from "../../src/client/recorder.ts";
import { createScheduler } from "../../src/scheduler/scheduler.ts";
import { startControlPlane, type ControlPlane } from "./control-plane.ts";
import { eventually } from "./eventually.ts";

export interface HollowCluster extends ControlPlane {
  hollow: HollowNodes;
  /** The pod, as soon as `check` holds. */
  podWhen(name: string, check: (pod: Pod) => boolean | undefined, options?: { namespace?: string; timeout?: number | undefined }): Promise<Pod>;
  /** Resolves when there is no such pod. */
  podGone(name: string, options?: { namespace?: string; timeout?: number | undefined }): Promise<void>;
}

export interface HollowClusterOptions extends Pick<HollowOptions, "knownImage" | "startDelay"> {
  /** A number of nodes `node-0`, `node-1`, …, or what they are like. Default 3. */
  nodes?: number | readonly NodeShape[];
  clock?: Clock;
  /** Which controllers run; all by default. */
  select?: (controller: Controller) => boolean;
  /** Default true. */
  scheduler?: boolean;
}

/** A cluster in this process, on a temporary directory: registry, controllers, scheduler, and nodes that play their pods. Its nodes are Ready. */
export async function hollowCluster({ nodes = 3, clock = systemClock, select, scheduler = true, ...rest }: HollowClusterOptions = {}): Promise<HollowCluster> {
  const plane = await startControlPlane({ clock, ...(select ? { select } : {}) });
  const { client, informers } = plane;
  const stop = new AbortController();
  const recorder = (component: string) => createEventRecorder({ client, events, component, clock }, stop.signal);
  await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "kube-node-lease" }, spec: {} }).catch(() => undefined);
  const shapes = typeof nodes === "number" ? Array.from({ length: nodes }, (_, i): NodeShape => ({ name: `node-${i}` })) : nodes;
  const hollow = hollowNodes({ client, informers, clock, nodes: shapes, recorder: recorder("kubelet"), ...rest });
  const running = [hollow.run(stop.signal), ...(scheduler ? [createScheduler({ client, informers, recorderFor: recorder, clock }).run(stop.signal)] : [])];
  await hollow.ready;
  const find = (name: string, namespace: string): Pod | undefined => informers.informer(pods).lister.get(`${namespace}/${name}`) as Pod | undefined;
  return {
    ...plane, hollow,
    podWhen: (name, check, { namespace = "default", timeout } = {}) => eventually(() => {
      const pod = find(name, namespace);
      if (!pod || !check(pod)) throw new Error(`pod ${namespace}/${name} is ${pod ? JSON.stringify(pod.status, null, 1) : "not there"}`);
      return pod;
    }, timeout === undefined ? {} : { timeout }),
    podGone: (name, { namespace = "default", timeout } = {}) => eventually(() => {
      if (find(name, namespace)) throw new Error(`pod ${namespace}/${name} is still there: ${JSON.stringify(find(name, namespace)!.status)}`);
    }, timeout === undefined ? {} : { timeout }),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.all(running);
      await plane[Symbol.asyncDispose]();
    },
  };
}
