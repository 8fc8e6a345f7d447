import { builtAt } from "../base/version.ts";
import { hostAddresses } from "./host.ts";
import type { Layout } from "./layout.ts";
import { localAddressOf } from "./listening.ts";
import { addressIn } from "./network-options.ts";
import type { ServerOptions } from "./options.ts";
import type { PkiOptions } from "./pki/cluster-pki.ts";

/** What this server's certificates are for, on this machine as it is now. */
export function pkiOptionsOf(options: ServerOptions, { layout, nodeIps, now }: { layout: Layout; nodeIps: readonly string[]; now: number }): PkiOptions {
  const addresses = hostAddresses([...options.clusterCidrs, ...options.serviceCidrs]);
  const names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", `kubernetes.default.svc.${options.clusterDomain}`, "localhost", options.nodeName, "127.0.0.1", "::1", localAddressOf(options), ...options.serviceCidrs.map((cidr) => addressIn(cidr, 1)), ...nodeIps];
  return {
    directory: layout.tlsDir, servingNames: [...new Set([...names, ...(options.advertiseAddress ? [options.advertiseAddress] : []), ...options.tlsSan, ...addresses])],
    nodeName: options.nodeName, nodeAddresses: [...nodeIps, "127.0.0.1", "::1"], now, builtAt,
  };
}
