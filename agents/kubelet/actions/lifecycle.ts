import type { Clock } from "../../../src/base/clock.ts";
import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { LifecycleHandler } from "../../../src/apis/generated/core/v1.ts";
import type { ContainerRuntime } from "../../cri/cri.ts";
import type { Container } from "../pod/pod.ts";
import { resolvePort } from "./handler-target.ts";
import { httpGet, tcpConnect } from "./http-get.ts";

export interface HookTarget {
  runtime: ContainerRuntime;
  clock: Clock;
  container: Container;
  containerId: string;
  podIp: string;
  /** How long the hook may take. */
  timeoutMs: number;
  signal: AbortSignal;
}

/** Runs a postStart or preStop hook. Rejects, in Kubernetes' words, when it fails. */
export async function runHook(handler: Frozen<LifecycleHandler>, target: HookTarget): Promise<void> {
  const { runtime, clock, container, containerId, podIp, timeoutMs, signal } = target;
  if (handler.exec) {
    const { exitCode, stdout, stderr } = await runtime.runtime.execSync({ containerId, cmd: [...(handler.exec.command ?? [])], timeout: Math.ceil(timeoutMs / 1000) }, { timeoutMs: timeoutMs + 2000, signal });
    const output = Buffer.concat([stdout ?? new Uint8Array(), stderr ?? new Uint8Array()]).toString();
    if (exitCode) throw new Error(`command '${(handler.exec.command ?? []).join(" ")}' exited with ${exitCode}: ${output}`);
  } else if (handler.httpGet) {
    const { scheme = "HTTP", host, port, path = "/", httpHeaders = [] } = handler.httpGet;
    await httpGet({ scheme, host: host || podIp, port: resolvePort(port, container), path: path.startsWith("/") ? path : `/${path}`, headers: httpHeaders, userAgent: "kube-lifecycle/1.36", timeoutMs });
  } else if (handler.tcpSocket) {
    await tcpConnect(handler.tcpSocket.host || podIp, resolvePort(handler.tcpSocket.port, container), timeoutMs);
  } else if (handler.sleep) {
    await clock.sleep(Math.min(handler.sleep.seconds * 1000, timeoutMs), signal);
  }
}
