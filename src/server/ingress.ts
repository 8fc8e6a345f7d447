import { join } from "node:path";
import { IngressController } from "../../agents/ingress/ingress.ts";
import type { Clock } from "../base/clock.ts";
import { logger } from "../base/log.ts";
import type { UserInfo } from "../registry/attributes.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { Layout } from "./layout.ts";
import type { ServerOptions } from "./options.ts";
import { createLeaf, type KeyPair } from "./pki/certificate.ts";

/** A certificate that no client trusts: it only lets TLS begin where a host has none. Made anew at each start. */
const certificateYears = 10;

/** Serves Ingresses on this machine's ports until `signal` aborts. */
export function runIngress({ plane, options, layout, user, issuer, clock }: { plane: ControlPlane; options: ServerOptions; layout: Layout; user: UserInfo; issuer: KeyPair; clock: Clock }, signal: AbortSignal): Promise<void> {
  const { nodeName, clusterDns, ingressHttpPort, ingressHttpsPort } = options;
  return new IngressController({
    client: plane.clientAs(user), informers: plane.informers, recorder: plane.recorder("ingress-controller", user, nodeName), clock, log: logger("ingress"), nodeName,
    directory: join(layout.runDir, "ingress"), cgroup: `/${layout.instance}/ingress`, httpPort: ingressHttpPort, httpsPort: ingressHttpsPort, resolvers: clusterDns,
    ownCertificate: () => createLeaf({ subject: { commonName: "Skiff ingress without a certificate" }, issuer, usage: "server", names: ["ingress.invalid"], notAfter: new Date(clock.now() + certificateYears * 365 * 86_400_000) }),
  }).run(signal);
}
