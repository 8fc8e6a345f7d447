import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCgroups } from "../../agents/kubelet/cgroups/cgroups.ts";
import { createKubelet, type Kubelet, type KubeletOptions } from "../../agents/kubelet/kubelet.ts";
import { cniConfig } from "../../agents/network/cni-config.ts";
import { events, namespaces, pods, serviceaccounts } from "../../src/apis/builtins.ts";
import type { Event, Pod, PodSpec } from "../../src/apis/generated/core/v1.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { HttpRequest, HttpResponse } from "../../src/base/http.ts";
import { createEventRecorder } from "../../src/client/recorder.ts";
import { startRegistry, type RegistryFixture } from "../../src/registry/testing/fixture.ts";
import { startContainerd, unmountBelow, type TestContainerd } from "./containerd.ts";
import { eventually } from "./eventually.ts";
import { busyboxImage, busyboxReference } from "./images.ts";

export interface KubeletNode extends RegistryFixture {
  containerd: TestContainerd;
  kubelet: Kubelet;
  namespace: string;
  logDir: string;
  rootDir: string;
  staticPodPath: string;
  /** Where the pod network keeps which addresses are taken: a file each. */
  ipamDirectory: string;
  cgroupRoot: string;
  /** How the next kubelet is to be. */
  next: Partial<Pick<KubeletOptions, "settings" | "logind" | "recorder" | "client">>;
  /** As after kill -9: the kubelet goes without a word to its pods, and another begins, after `meanwhile`. */
  restartKubelet(meanwhile?: () => Promise<void>): Promise<void>;
  /** A pod bound to the node, of busybox, in `namespace`. */
  createPod(name: string, spec: Partial<PodSpec>, metadata?: Pod["metadata"]): Promise<Pod>;
  pod(name: string): Promise<Pod>;
  /** The pod, as soon as `check` holds. */
  podWhen(name: string, check: (pod: Pod) => boolean | undefined, timeout?: number): Promise<Pod>;
  gone(name: string, timeout?: number): Promise<void>;
  events(pod: string): Promise<Event[]>;
  logs(path: string): Promise<{ status: number; body: string }>;
}

export const nodeName = "node-1";

/** A registry, a containerd with a pod network, and a kubelet between them, in one temporary directory. */
export async function startKubeletNode(): Promise<KubeletNode> {
  const directory = mkdtempSync(join(tmpdir(), "skiff-kubelet-"));
  const cniConfDir = join(directory, "cni");
  mkdirSync(cniConfDir);
  const ipamDirectory = join(directory, "ipam");
  const id = process.pid % 200;
  writeFileSync(join(cniConfDir, "10-test.conflist"), cniConfig({ name: `skiff-test-${process.pid}`, podCidrs: [`10.97.${id}.0/24`], mtu: 1450, ipamDirectory }));
  const tokenIssuer = {
    audiences: ["test"],
    issue: ({ expirationSeconds }: { expirationSeconds: number }) => Promise.resolve({ token: `token-for-${expirationSeconds}`, expirationTimestamp: new Date(Date.now() + expirationSeconds * 1000).toISOString() }),
  };
  const fixture = await startRegistry({ tokenIssuer });
  const containerd = await startContainerd({ cniConfDir });
  mkdirSync(join(containerd.directory, "images"), { recursive: true });
  writeFileSync(join(containerd.directory, "images/busybox.tar"), await busyboxImage());
  await eventually(async () => {
    if (await containerd.importer.importAll() === "settling") throw new Error("the image is not imported");
  });

  const { client, informers } = fixture;
  const rootDir = join(directory, "kubelet");
  const logDir = join(directory, "logs");
  const staticPodPath = join(directory, "static-pods");
  const cgroupRoot = `/skiff-test-${process.pid}`;
  const namespace = "default";
  await client.create(serviceaccounts, { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default", namespace } });
  await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "kube-node-lease" }, spec: {} }).catch(() => {});

  let stop = new AbortController();
  let running: Promise<void> = Promise.resolve();
  const begin = (next: KubeletNode["next"] = {}): Kubelet => {
    stop = new AbortController();
    const recorder = createEventRecorder({ client, events, component: "kubelet", host: nodeName, clock: systemClock }, stop.signal);
    const kubelet = createKubelet({
      runtime: containerd.runtime, client, informers, recorder, clock: systemClock, nodeName, nodeIps: () => ["10.0.0.1"], rootDir, logDir, cgroupRoot,
      clusterDns: ["10.43.0.10"], clusterDomain: "cluster.local", staticPodPath, ...next,
    });
    running = kubelet.run(stop.signal);
    return kubelet;
  };
  const node: KubeletNode = {
    ...fixture, containerd, kubelet: begin(), next: {}, namespace, logDir, rootDir, staticPodPath, ipamDirectory, cgroupRoot,
    async restartKubelet(meanwhile) {
      stop.abort();
      await running;
      await meanwhile?.();
      node.kubelet = begin(node.next);
      await node.kubelet.ready;
    },
    async createPod(name, spec, metadata) {
      const containers = (spec.containers ?? []).map((container) => ({ image: busyboxReference, imagePullPolicy: "IfNotPresent" as const, ...container }));
      const initContainers = spec.initContainers?.map((container) => ({ image: busyboxReference, imagePullPolicy: "IfNotPresent" as const, ...container }));
      const pod: Pod = {
        apiVersion: "v1", kind: "Pod", metadata: { name, namespace, ...metadata },
        spec: { nodeName, automountServiceAccountToken: false, terminationGracePeriodSeconds: 1, ...spec, containers, ...(initContainers ? { initContainers } : {}) },
      };
      return await client.create(pods, pod) as Pod;
    },
    pod: async (name) => await client.get(pods, { namespace, name }) as Pod,
    async podWhen(name, check, timeout = 60_000) {
      let last: Pod | undefined;
      try {
        return await eventually(async () => {
          last = await node.pod(name);
          if (!check(last)) throw new Error("not yet");
          return last;
        }, { timeout });
      } catch (error) {
        throw new Error(`pod ${name}: ${JSON.stringify(last?.status, null, 1)}\n${JSON.stringify((await node.events(name)).map(({ reason, message }) => `${reason}: ${message}`), null, 1)}`, { cause: error });
      }
    },
    async gone(name, timeout = 60_000) {
      await eventually(async () => {
        const found = await node.pod(name).catch(() => undefined);
        if (found) throw new Error(`pod ${name} is still there`);
      }, { timeout });
    },
    events: async (pod) => ((await client.list(events, { namespace })).items as Event[]).filter(({ involvedObject }) => involvedObject.name === pod),
    logs: (path) => call(node.kubelet, path),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      await containerd.dispose();
      await fixture[Symbol.asyncDispose]();
      openCgroups().remove(cgroupRoot);
      unmountBelow(directory);
      rmSync(directory, { recursive: true, force: true });
    },
  };
  await node.kubelet.ready;
  return node;
}

/** A GET of the kubelet's API, without a socket. */
export async function call(kubelet: Kubelet, url: string, signal = new AbortController().signal): Promise<{ status: number; body: string }> {
  const answer = { status: 0, body: "" };
  const ended = Promise.withResolvers<void>();
  const request: HttpRequest = { method: "GET", url, headers: {}, remoteAddress: "", body: () => Promise.resolve(new Uint8Array()), signal };
  const response: HttpResponse = {
    get started() {
      return answer.status !== 0;
    },
    send(status, _, body = "") {
      answer.status = status;
      answer.body = Buffer.from(body).toString();
      ended.resolve();
    },
    stream(status) {
      answer.status = status;
      const write = (chunk: Uint8Array | string): boolean => {
        answer.body += Buffer.from(chunk).toString();
        return true;
      };
      return { write, writeFramed: write, queuedBytes: 0, drained: () => Promise.resolve(), end: () => ended.resolve(), abort: () => ended.resolve() };
    },
    upgrade() {
      throw new Error("no upgrade here");
    },
  };
  await kubelet.handler(request, response);
  await ended.promise;
  return answer;
}
