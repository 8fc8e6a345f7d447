import type { ContainerRuntime, RuntimeService } from "./cri.ts";
import type { PodSandboxStatusResponse } from "./generated/messages.ts";

/** The runtime, telling a pod's IPv6 address first: containerd has IPv4 first whatever the CNI configuration's order is. */
export function ipv6First(runtime: ContainerRuntime): ContainerRuntime {
  const podSandboxStatus: RuntimeService["podSandboxStatus"] = async (...call) => reordered(await runtime.runtime.podSandboxStatus(...call));
  const service = new Proxy(runtime.runtime, { get: (target, name) => (name === "podSandboxStatus" ? podSandboxStatus : Reflect.get(target, name)) });
  return { runtime: service, images: runtime.images, events: (...call) => runtime.events(...call), imageFiles: (image) => runtime.imageFiles(image), close: () => runtime.close() };
}

function reordered(response: PodSandboxStatusResponse): PodSandboxStatusResponse {
  const network = response.status?.network;
  if (!network?.ip) return response;
  const ips = [network.ip, ...(network.additionalIps ?? []).flatMap(({ ip }) => ip ?? [])];
  const [ip, ...more] = ips.toSorted((a, b) => Number(b.includes(":")) - Number(a.includes(":")));
  return { ...response, status: { ...response.status, network: { ...network, ip: ip!, additionalIps: more.map((each) => ({ ip: each })) } } };
}
