import type { Frozen } from "../../apimachinery/meta.ts";
import type { Lease } from "../generated/coordination/v1.ts";

/** By this an API server says that it runs: `kubectl -n kube-system get leases -l apiserver.kubernetes.io/identity`. */
export const identityLabel = "apiserver.kubernetes.io/identity";
export const identityNamespace = "kube-system";

export const isIdentityLease = ({ metadata: { namespace, labels } }: Frozen<Lease>): boolean => namespace === identityNamespace && labels?.[identityLabel] === "kube-apiserver";
