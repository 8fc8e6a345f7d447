import type { Clock } from "../../src/base/clock.ts";
import { logger } from "../../src/base/log.ts";
import { Workqueue } from "../../src/base/workqueue.ts";
import type { Frozen } from "../../src/apimachinery/meta.ts";
import { nodes } from "../../src/apis/core/node.ts";
import { pods } from "../../src/apis/core/pod/pod.ts";
import type { Node } from "../../src/apis/generated/core/v1.ts";
import type { Client } from "../../src/client/client.ts";
import type { InformerFactory } from "../../src/client/informer.ts";
import type { EventRecorder } from "../../src/client/recorder.ts";
import { time } from "../kubelet/status/container-status.ts";
import { withLimitedWrites } from "./concurrency.ts";
import { HollowNode } from "./hollow-node.ts";
import type { Verdict } from "./hollow-pod.ts";
import { HollowPods } from "./hollow-pods.ts";
import { ImageShelf } from "./images.ts";
import type { NodeShape, NodeTroubles } from "./node-shape.ts";

export interface HollowOptions {
  client: Client;
  informers: InformerFactory;
  clock: Clock;
  nodes: readonly NodeShape[];
  /** Hears what goes wrong: refused pods, images that can't be pulled. Without one there are no Events. */
  recorder?: EventRecorder;
  /** Which images can be pulled; default: all but those called `invalid`, `nonexistent` or `does-not-exist`, or of tag 404. */
  knownImage?: (image: string) => boolean;
  /** How long a pod takes from its binding to its first container, in milliseconds. Default 0. */
  startDelay?: number;
  /** Writes under way at once. Default 32. */
  concurrency?: number;
}

/** Nodes that are not there: they register, keep their Leases, and play the pods that are bound to them without running anything. */
export interface HollowNodes {
  /** Until `signal` aborts. Nodes and pods stay in the API as they are then. */
  run(signal: AbortSignal): Promise<void>;
  /** Resolves when the API shows those of the start as Ready. */
  readonly ready: Promise<void>;
  addNode(shape: NodeShape): void;
  /** Deletes its Node and Lease, and forgets its pods without a word to the API. */
  removeNode(name: string): Promise<void>;
  /** As when its power or its network fails: no heartbeat, nothing done for its pods. */
  stopNode(name: string): void;
  /** It is back, its pods as they were. */
  startNode(name: string): void;
  setTroubles(name: string, troubles: NodeTroubles): void;
  /** Pods are named `namespace/name`; each of these throws when no hollow node runs it. Ends it as a kubelet would by itself: Failed, for this reason. */
  failPod(pod: string, verdict: Verdict): void;
  /** As a kubelet does when its node is short of something: DisruptionTarget, then Failed with reason Evicted. */
  evictPod(pod: string, message: string): Promise<void>;
  /** Overrides its readiness probes; undefined leaves it to them again. */
  setPodReady(pod: string, ready: boolean | undefined): void;
  /** A container ends by itself; what comes then is up to the restart policy. Throws when it is not running. */
  exitContainer(pod: string, container: string, code: number, reason?: string): void;
}

export function hollowNodes(options: HollowOptions): HollowNodes {
  const { clock, informers, concurrency = 32 } = options;
  const log = logger("hollow");
  const client = withLimitedWrites(options.client, concurrency);
  const stop = new AbortController();
  const queue = new Workqueue({ clock, baseDelay: 200, maxDelay: 10_000 });
  const members = new Map<string, HollowNode>();
  const unready = new Set(options.nodes.map(({ name }) => name));
  const ready = Promise.withResolvers<void>();
  if (unready.size === 0) ready.resolve();
  let index = 0;
  for (const shape of options.nodes) members.set(shape.name, new HollowNode(shape, index++, { client, clock }));

  const player = new HollowPods({
    client, clock, log, images: new ImageShelf(options.knownImage), signal: stop.signal, startDelay: options.startDelay ?? 0, workers: concurrency,
    node: (name) => members.get(name), ...(options.recorder ? { recorder: options.recorder } : {}),
  });
  /** All pods that are somewhere, in one watch. */
  const assigned = informers.informer(pods, { fieldSelector: "spec.nodeName!=" });
  const nodeInformer = informers.informer(nodes);

  function member(name: string): HollowNode {
    const node = members.get(name);
    if (!node) throw new Error(`there is no hollow node ${name}`);
    return node;
  }

  function onNode(old: Frozen<Node> | undefined, current: Frozen<Node> | undefined): void {
    const node = members.get((current ?? old)!.metadata.name!);
    if (node?.observed(current) && !node.stopped) queue.add(node.name);
  }

  async function work(): Promise<void> {
    for (let name = await queue.get(); name !== undefined; name = await queue.get()) {
      const node = members.get(name);
      if (node && !node.stopped && !stop.signal.aborted) await sync(node);
      queue.done(name);
    }
  }

  async function sync(node: HollowNode): Promise<void> {
    try {
      queue.addAfter(node.name, await node.sync());
      queue.forget(node.name);
      if (unready.delete(node.name) && unready.size === 0) ready.resolve();
    } catch (error) {
      if (stop.signal.aborted) return;
      log.warn("Hollow node not in sync, will try again", { node: node.name, error });
      queue.addRateLimited(node.name);
    }
  }

  return {
    ready: ready.promise,
    async run(signal) {
      const onAbort = (): void => {
        stop.abort(signal.reason);
        queue.shutDown();
      };
      signal.addEventListener("abort", onAbort, { once: true });
      if (signal.aborted) onAbort();
      await Promise.all([nodeInformer.synced(signal), assigned.synced(signal)]).catch(() => undefined);
      const unsubscribe = [nodeInformer.onChange(onNode), assigned.onChange((old, current) => player.observed(old, current))];
      for (const name of members.keys()) queue.add(name);
      await Promise.all([player.run(), ...Array.from({ length: concurrency }, work)]);
      for (const end of unsubscribe) end();
      signal.removeEventListener("abort", onAbort);
    },
    addNode(shape) {
      if (members.has(shape.name)) throw new Error(`there is a hollow node ${shape.name} already`);
      members.set(shape.name, new HollowNode(shape, index++, { client, clock }));
      queue.add(shape.name);
      for (const pod of assigned.lister.list()) if (pod.spec.nodeName === shape.name) player.observed(undefined, pod);
    },
    async removeNode(name) {
      const node = member(name);
      members.delete(name);
      player.drop(node);
      await node.delete();
    },
    stopNode(name) {
      member(name).stopped = true;
    },
    startNode(name) {
      const node = member(name);
      node.stopped = false;
      queue.add(name);
      player.wake(node);
    },
    setTroubles(name, troubles) {
      member(name).troubles = troubles;
      queue.add(name);
    },
    failPod: (pod, verdict) => player.act(pod, (hollow) => hollow.fail(verdict)),
    async evictPod(pod, message) {
      const [namespace, name] = pod.split("/") as [string, string];
      const conditions = [{ type: "DisruptionTarget", status: "True", reason: "TerminationByKubelet", message, lastTransitionTime: time(clock.now()) }];
      await client.patch(pods, { namespace, name }, { type: "application/strategic-merge-patch+json", body: { status: { conditions } } }, { subresource: "status" });
      player.act(pod, (hollow) => hollow.fail({ reason: "Evicted", message }));
    },
    setPodReady: (pod, isReady) => player.act(pod, (hollow) => hollow.setReady(isReady)),
    exitContainer: (pod, container, code, reason) => player.act(pod, (hollow) => {
      if (!hollow.exit(container, code, reason)) throw new Error(`container ${container} of ${pod} is not running`);
    }),
  };
}
