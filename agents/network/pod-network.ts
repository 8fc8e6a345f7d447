import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import type { Logger } from "../../src/base/log.ts";
import { nodes } from "../../src/apis/core/node.ts";
import type { InformerFactory } from "../../src/client/informer.ts";
import { cniConfig } from "./cni-config.ts";
import { applySysctls } from "./sysctl.ts";

export interface PodNetworkOptions {
  informers: InformerFactory;
  nodeName: string;
  nodeIp: string;
  /** Names the network; see `PodNetwork.name`. */
  instance: string;
  cniConfDir: string;
  ipamDirectory: string;
  log: Logger;
}

const configName = "10-skiff.conflist";

/**
 * Writes the CNI configuration as soon as this node has its pod CIDR, and again when that changes. The runtime notices by itself;
 * a node without it is NotReady with the runtime's own "cni plugin not initialized".
 */
export class PodNetworkWriter {
  constructor(private readonly options: PodNetworkOptions) {}

  async run(signal: AbortSignal): Promise<void> {
    const { informers, nodeName, cniConfDir, ipamDirectory } = this.options;
    applySysctls();
    for (const directory of [cniConfDir, ipamDirectory]) mkdirSync(directory, { recursive: true, mode: 0o755 });
    const own = informers.informer(nodes, { fieldSelector: `metadata.name=${nodeName}` });
    const unsubscribe = own.onChange((_, node) => this.#write(node?.spec.podCIDR));
    await new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true })));
    unsubscribe();
  }

  /** The configuration stays when the node object goes: pods that run keep their network. */
  #write(podCidr: string | undefined): void {
    const { instance, cniConfDir, ipamDirectory, nodeIp, log } = this.options;
    if (!podCidr) return;
    const file = join(cniConfDir, configName);
    const content = cniConfig({ name: instance, podCidr, mtu: mtuOf(nodeIp), ipamDirectory });
    if (readText(file) === content) return;
    writeFileSync(`${file}.tmp`, content);
    renameSync(`${file}.tmp`, file);
    log.info("pod network configured", { podCidr, file });
  }
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

const defaultMtu = 1500;

/** The MTU of the interface that carries the node's address. */
function mtuOf(nodeIp: string): number {
  const name = Object.entries(networkInterfaces()).find(([, addresses]) => addresses?.some(({ address }) => address === nodeIp))?.[0];
  return name ? Number(readText(`/sys/class/net/${name}/mtu`)) || defaultMtu : defaultMtu;
}
