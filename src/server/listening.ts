import type { ServerOptions } from "./options.ts";

/** What nodes and pods are told: a server that listens on one address is reached there. Undefined while the machine has no address. */
export function advertiseAddressOf({ advertiseAddress, bindAddress }: ServerOptions, nodeAddress: string | undefined): string | undefined {
  return advertiseAddress ?? (/^(0\.0\.0\.0|127\..*|::1?)$/.test(bindAddress) ? nodeAddress : bindAddress);
}

/** Where the ports listen: with "every address" IPv6 is meant too where the cluster has it. */
export const listenAddressOf = ({ bindAddress, clusterCidrs }: ServerOptions): string => (bindAddress === "0.0.0.0" && clusterCidrs.some((cidr) => cidr.includes(":")) ? "::" : bindAddress);

/** Where this machine itself reaches the API. */
export const localAddressOf = ({ bindAddress }: ServerOptions): string => (/^(0\.0\.0\.0|::)$/.test(bindAddress) ? "127.0.0.1" : bindAddress);
