import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { Probe } from "../../../src/apis/generated/core/v1.ts";
import type { ContainerRuntime } from "../../cri/cri.ts";
import { GrpcCode, GrpcError } from "../../../src/base/grpc/error.ts";
import { grpcHealth } from "../actions/grpc-health.ts";
import { resolvePort } from "../actions/handler-target.ts";
import { httpGetFollowing, tcpConnect } from "../actions/http-get.ts";
import type { Container } from "../pod/pod.ts";

export interface ProbeTarget {
  runtime: ContainerRuntime;
  container: Container;
  containerId: string;
  podIp: string;
}

/** `errored`: the probe could not be made, which counts as neither. */
export interface ProbeResult {
  result: "success" | "failure" | "errored";
  output: string;
  /** It counts, but its owner should hear of this. */
  warning?: string;
}

/** Probes once. Source: k8s.io/kubernetes/pkg/probe, whose outputs these are. */
export async function probeOnce(probe: Frozen<Probe>, target: ProbeTarget): Promise<ProbeResult> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  try {
    if (probe.exec) return await execProbe(probe.exec.command ?? [], target, timeoutMs);
    if (probe.httpGet) return await httpProbe(probe.httpGet, target, timeoutMs);
    if (probe.tcpSocket) {
      await tcpConnect(probe.tcpSocket.host || target.podIp, resolvePort(probe.tcpSocket.port, target.container), timeoutMs);
      return { result: "success", output: "" };
    }
    if (probe.grpc) {
      const answer = await grpcHealth(target.podIp, probe.grpc.port, probe.grpc.service ?? "", timeoutMs);
      return answer === "SERVING" ? { result: "success", output: "service healthy" } : { result: "failure", output: `service unhealthy (responded with ${JSON.stringify(answer)})` };
    }
    return { result: "success", output: "" };
  } catch (error) {
    return { result: "failure", output: error instanceof Error ? error.message : String(error) };
  }
}

async function execProbe(command: readonly string[], { runtime, containerId }: ProbeTarget, timeoutMs: number): Promise<ProbeResult> {
  try {
    const { exitCode, stdout, stderr } = await runtime.runtime.execSync({ containerId, cmd: [...command], timeout: Math.ceil(timeoutMs / 1000) }, { timeoutMs: timeoutMs + 10_000 });
    const output = Buffer.concat([stdout ?? new Uint8Array(), stderr ?? new Uint8Array()]).subarray(0, 10 * 1024).toString();
    return { result: exitCode ? "failure" : "success", output };
  } catch (error) {
    if (error instanceof GrpcError && error.code === GrpcCode.DeadlineExceeded) return { result: "failure", output: `command timed out: "${command.join(" ")}" timed out after ${timeoutMs / 1000}s` };
    // The container is going, or the runtime restarts: that says nothing of the container's health.
    return { result: "errored", output: error instanceof Error ? error.message : String(error) };
  }
}

async function httpProbe(get: NonNullable<Frozen<Probe>["httpGet"]>, { container, podIp }: ProbeTarget, timeoutMs: number): Promise<ProbeResult> {
  const { scheme = "HTTP", host, port, path = "/", httpHeaders = [] } = get;
  const { status, body } = await httpGetFollowing({ scheme, host: host || podIp, port: resolvePort(port, container), path: path.startsWith("/") ? path : `/${path}`, headers: httpHeaders, userAgent: "kube-probe/1.36", timeoutMs });
  if (status < 200 || status >= 400) return { result: "failure", output: `HTTP probe failed with statuscode: ${status}` };
  return { result: "success", output: "", ...(status >= 300 ? { warning: `Probe terminated redirects, Response body: ${body}` } : {}) };
}
