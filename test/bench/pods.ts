import { join } from "node:path";
import { connectRuntime } from "../../agents/cri/containerd.ts";
import type { ContainerRuntime } from "../../agents/cri/cri.ts";
import { NamespaceMode } from "../../agents/cri/generated/messages.ts";
import { logger } from "../../src/base/log.ts";
import { busyboxReference } from "../support/images.ts";
import { startWithBusybox } from "../support/skiff.ts";
import { pod, shell } from "../support/workloads.ts";
import { ApiConnection, credentialsOf } from "./api-connection.ts";
import { type Measure, timed } from "./measure.ts";

/** From asking for a pod to the API saying Running, beside the three calls to containerd that it takes at least. The image is there. */
export const measurePods: Measure = async ({ network, quick }) => {
  const skiff = await startWithBusybox({ network });
  const runtime = connectRuntime({ socket: join(skiff.layout.runDir, "containerd.sock"), log: logger("bench") });
  try {
    const writer = await ApiConnection.open(credentialsOf(skiff.kubeconfig)), watcher = await ApiConnection.open(credentialsOf(skiff.kubeconfig));
    let awaited = "", running = Promise.withResolvers<void>(), text = "";
    await watcher.watch("/api/v1/namespaces/default/pods?watch=true&allowWatchBookmarks=true", (more) => {
      text = (text + more).slice(-100_000);
      const lines = text.split("\n");
      if (awaited && lines.some((line) => line.includes(`"name":"${awaited}"`) && line.includes('"phase":"Running"'))) running.resolve();
    });
    const ours: number[] = [], bare: number[] = [];
    for (let i = 0; i < (quick ? 5 : 30); i++) {
      awaited = `timed-${i}`;
      running = Promise.withResolvers();
      ours.push(await timed(async () => {
        await writer.request("POST", "/api/v1/namespaces/default/pods", JSON.stringify(pod(awaited, shell("exec sleep 100000"))));
        await running.promise;
      }));
      await writer.request("DELETE", `/api/v1/namespaces/default/pods/${awaited}?gracePeriodSeconds=0`);
      bare.push(await bareCalls(runtime, `${skiff.layout.instance}/bench`, i));
    }
    writer.close();
    watcher.close();
    return [{ what: "pod: create to Running", values: ours, unit: "ms" }, { what: "the bare CRI calls", values: bare, unit: "ms" }];
  } finally {
    runtime.close();
    skiff.dispose();
  }
};

/** RunPodSandbox, CreateContainer and StartContainer, as short as they can be. */
export async function bareCalls({ runtime }: ContainerRuntime, cgroupParent: string, number: number): Promise<number> {
  const config = { metadata: { name: `bare-${number}`, namespace: "bench", uid: `bare-${number}`, attempt: 0 }, linux: { cgroupParent: `/${cgroupParent}` } };
  let podSandboxId = "";
  const ms = await timed(async () => {
    podSandboxId = (await runtime.runPodSandbox({ config })).podSandboxId!;
    const { containerId } = await runtime.createContainer({
      podSandboxId, sandboxConfig: config,
      config: { metadata: { name: "main", attempt: 0 }, image: { image: busyboxReference }, command: ["sleep", "100000"], linux: { securityContext: { namespaceOptions: { pid: NamespaceMode.CONTAINER } } } },
    });
    await runtime.startContainer({ containerId });
  });
  await runtime.stopPodSandbox({ podSandboxId });
  await runtime.removePodSandbox({ podSandboxId });
  return ms;
}
