import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Image, PodSandboxConfig } from "../../cri/generated/messages.ts";
import { runHook } from "../actions/lifecycle.ts";
import { containerEnv } from "../env/env.ts";
import { ImageError } from "../images/image-puller.ts";
import { hostsFile } from "../network/hosts-file.ts";
import { containerConfig } from "../runtime/container-config.ts";
import { containerDevices, containerMounts } from "../runtime/mounts.ts";
import { latestContainer, type RuntimePod } from "../runtime/runtime-status.ts";
import { nonRootViolation, type ImageUser } from "../runtime/security-context.ts";
import { mountImage } from "../volumes/image.ts";
import type { PodVolumes } from "../volumes/volumes.ts";
import { isStaticPod } from "../static-pods/static-pod.ts";
import type { PodContext } from "./context.ts";
import { containerReference, podReference } from "./container-reference.ts";
import { errorText, killContainer } from "./kill.ts";
import { gracePeriodSeconds, targetOf, type Container, type Pod } from "./pod.ts";

/** A container that could not be started: the reason and message of its Waiting state, and when to try again if that is known. */
export class StartError extends Error {
  override readonly name = "StartError";
  constructor(readonly reason: string, message: string, readonly retryAt?: number, options?: ErrorOptions) {
    super(message, options);
  }
}

export interface Sandbox {
  id: string;
  config: PodSandboxConfig;
  ips: readonly string[];
}

/** Pulls the image, makes the configuration, creates, starts, runs postStart. Throws `StartError`. Source: kuberuntime startContainer. */
export async function startContainer(context: PodContext, pod: Pod, container: Container, sandbox: Sandbox, volumes: PodVolumes, runtime: RuntimePod, signal: AbortSignal): Promise<string> {
  const about = containerReference(pod, container);
  const fail = (reason: string, error: unknown): never => {
    signal.throwIfAborted();
    // The bare message, as Kubernetes shows it here: what the runtime says is clear without gRPC's code.
    const message = error instanceof Error ? error.message : String(error);
    context.recorder.event(about, "Warning", "Failed", `Error: ${message}`);
    throw new StartError(reason, message, undefined, { cause: error });
  };

  const image = await pull(context, pod, container, signal);
  const withImages = await imageVolumes(context, pod, container, volumes, signal);
  const restartCount = nextRestartCount(context, pod, container, runtime);
  const config = await makeConfig(context, pod, container, { image, restartCount, sandbox, volumes: withImages, runtime }).catch((error: unknown) => fail("CreateContainerConfigError", error));
  signal.throwIfAborted();

  const { containerId = "" } = await context.runtime.runtime.createContainer({ podSandboxId: sandbox.id, config, sandboxConfig: sandbox.config }).catch((error: unknown) => fail("CreateContainerError", error));
  context.recorder.event(about, "Normal", "Created", "Container created");
  await context.runtime.runtime.startContainer({ containerId }).catch((error: unknown) => fail("RunContainerError", error));
  context.recorder.event(about, "Normal", "Started", "Container started");
  await postStart(context, pod, container, containerId, sandbox, signal);
  return containerId;
}

async function pull(context: PodContext, pod: Pod, container: Container, signal: AbortSignal): Promise<Image> {
  try {
    const names = (pod.spec.imagePullSecrets ?? []).map(({ name }) => name).filter((name) => name !== undefined);
    const secrets = await Promise.all(names.map((name) => context.references.secret(pod.metadata.namespace!, name)));
    const missing = names.filter((_, index) => secrets[index] === undefined);
    if (missing.length > 0) context.recorder.event(podReference(pod), "Warning", "FailedToRetrieveImagePullSecret", `Unable to retrieve some image pull secrets (${missing.join(", ")}); attempting to pull the image may not succeed.`);
    return await context.puller.ensure(pod, container, containerReference(pod, container), secrets.filter((secret) => secret !== undefined), signal);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ImageError) throw new StartError(error.reason, error.message, error.retryAt, { cause: error });
    throw new StartError("ImageInspectError", errorText(error), undefined, { cause: error });
  }
}

/** The volumes, with the files of images where the container mounts them. */
async function imageVolumes(context: PodContext, pod: Pod, container: Container, volumes: PodVolumes, signal: AbortSignal): Promise<PodVolumes> {
  const mounted = new Map(volumes.mounted);
  for (const { name, image: source } of pod.spec.volumes ?? []) {
    const volume = mounted.get(name);
    if (!source || !volume || !container.volumeMounts?.some((mount) => mount.name === name)) continue;
    const { id = source.reference! } = await pull(context, pod, { ...container, image: source.reference, imagePullPolicy: source.pullPolicy }, signal);
    mounted.set(name, await mountImage(context.runtime, id, volume).catch((error: unknown) => {
      throw new StartError("CreateContainerError", `failed to mount the image ${source.reference} of volume "${name}": ${errorText(error)}`, undefined, { cause: error });
    }));
  }
  return { ...volumes, mounted };
}

async function makeConfig(context: PodContext, pod: Pod, container: Container, { image, restartCount, sandbox, volumes, runtime }: { image: Image; restartCount: number; sandbox: Sandbox; volumes: PodVolumes; runtime: RuntimePod }) {
  const imageUser: ImageUser = { uid: image.uid?.value, username: image.username };
  const violation = nonRootViolation(pod, container, imageUser);
  if (violation) throw new Error(violation);
  const target = targetOf(pod, container.name);
  const targetId = target ? latestContainer(runtime, target)?.id : undefined;
  if (target && !targetId) throw new Error(`unable to find target container "${target}"`);
  const env = await containerEnv(pod, container, {
    nodeName: context.nodeName, addresses: { podIps: sandbox.ips, hostIps: context.nodeIps() }, allocatable: context.allocatable(),
    services: await context.services(!isStaticPod(pod)), configMap: context.references.configMap, secret: context.references.secret,
    volumePath: (name) => volumes.mounted.get(name)?.path,
  });
  const grant = await context.devices.grantFor(pod, container);
  const hosts = hostsFile(pod, sandbox.ips, context.clusterDns.domain, context.nodeHosts());
  const volumeDevices = containerDevices(container, volumes);
  const recursiveReadOnly = await canBeReadOnlyBelow(context, pod, container);
  const mounts = containerMounts(pod, container, { volumes: context.volumes, podVolumes: volumes, env, restartCount, hosts, recursiveReadOnly });
  return containerConfig(pod, container, { restartCount, imageRef: image.id ?? container.image!, imageUser, env, mounts, node: context.nodeShape, seccompRoot: context.seccompRoot, targetId, grant, volumeDevices });
}

/** Whether the pod's runtime can do it; asked for only when it matters. */
async function canBeReadOnlyBelow({ runtime, runtimeHandler }: PodContext, pod: Pod, { volumeMounts = [] }: Container): Promise<boolean> {
  if (volumeMounts.every(({ recursiveReadOnly = "Disabled" }) => recursiveReadOnly === "Disabled")) return false;
  const [{ runtimeHandlers = [] }, handler] = await Promise.all([runtime.runtime.status({}), runtimeHandler(pod.spec.runtimeClassName)]);
  return runtimeHandlers.some(({ name = "", features }) => name === handler && features?.recursiveReadOnlyMounts);
}

/** One more than the last; where the runtime has forgotten, the logs remember. */
function nextRestartCount(context: PodContext, pod: Pod, container: Container, runtime: RuntimePod): number {
  const latest = latestContainer(runtime, container.name);
  if (latest) return latest.restartCount + 1;
  const { namespace, name, uid } = pod.metadata;
  const directory = join(context.logDir, `${namespace}_${name}_${uid}`, container.name);
  if (!existsSync(directory)) return 0;
  const numbers = readdirSync(directory).map((file) => /^(\d+)\.log/.exec(file)?.[1]).filter((number) => number !== undefined).map(Number);
  return numbers.length === 0 ? 0 : Math.max(...numbers) + 1;
}

async function postStart(context: PodContext, pod: Pod, container: Container, containerId: string, sandbox: Sandbox, signal: AbortSignal): Promise<void> {
  const handler = container.lifecycle?.postStart;
  if (!handler) return;
  const podIp = sandbox.ips[0] ?? "";
  try {
    await runHook(handler, { runtime: context.runtime, clock: context.clock, container, containerId, podIp, timeoutMs: hookTimeoutMs, signal });
  } catch (error) {
    signal.throwIfAborted();
    context.recorder.event(containerReference(pod, container), "Warning", "FailedPostStartHook", `PostStartHook failed: ${errorText(error)}`);
    const running = { id: containerId, name: container.name, state: "running" } as Parameters<typeof killContainer>[2];
    await killContainer(context, pod, running, podIp, { graceSeconds: gracePeriodSeconds(pod), message: "FailedPostStartHook", signal });
    throw new StartError("PostStartHookError", `PostStartHook failed: ${errorText(error)}`, undefined, { cause: error });
  }
}

/** A hook may take as long as the pod lives; this bounds what a runtime is asked to wait for. */
const hookTimeoutMs = 60 * 60 * 1000;
