import type { Clock } from "../../src/base/clock.ts";
import type { Logger } from "../../src/base/log.ts";
import type { InformerFactory } from "../../src/client/informer.ts";
import { ClusterRecords } from "./records.ts";
import { serveDns } from "./server.ts";
import { hostUpstream } from "./upstream.ts";

export interface ClusterDnsOptions {
  /** The cluster's DNS address; every node answers it itself. */
  address: string;
  domain: string;
  /** The interface that carries the address. */
  interfaceName: string;
  informers: InformerFactory;
  clock: Clock;
  log: Logger;
}

const dnsPort = 53;

/** DNS on each node: a pod's query never leaves it, and names work while the server is away. */
export class ClusterDns {
  #started!: () => void;
  /** Resolves when queries are answered. */
  readonly ready = new Promise<void>((resolve) => { this.#started = resolve; });
  constructor(private readonly options: ClusterDnsOptions) {}

  async run(signal: AbortSignal): Promise<void> {
    const { address, domain, interfaceName, informers, clock, log } = this.options;
    const records = new ClusterRecords(informers);
    try {
      await records.synced(signal);
      await addAddress(interfaceName, address);
      const server = await serveDns({ address, port: dnsPort, domain, records, upstream: hostUpstream({ ownAddress: address, clock }), log });
      log.info("cluster DNS answers", { address, domain });
      this.#started();
      await new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true })));
      server.close();
    } finally {
      records.close();
    }
  }
}

/** A dummy interface; a bridge without ports does as well where the kernel has no dummy. It stays when Skiff stops, as the pods do. */
async function addAddress(name: string, address: string): Promise<void> {
  if (await ip("link", "show", name) !== 0 && await ip("link", "add", name, "type", "dummy") !== 0 && await ip("link", "add", name, "type", "bridge") !== 0) {
    throw new Error(`the interface ${name} for the cluster's DNS could not be made: the kernel needs the dummy or the bridge module`);
  }
  if (await ip("addr", "replace", `${address}/32`, "dev", name) !== 0 || await ip("link", "set", name, "up") !== 0) {
    throw new Error(`the address ${address} for the cluster's DNS could not be set on ${name}`);
  }
}

function ip(...parameters: string[]): Promise<number> {
  return Bun.spawn(["ip", ...parameters], { stdin: "ignore", stdout: "ignore", stderr: "ignore" }).exited;
}
