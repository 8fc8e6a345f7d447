import type { Frozen } from "../../apimachinery/meta.ts";
import type { EndpointSlice } from "../../apis/generated/discovery/v1.ts";
import type { Lister } from "../../client/informer.ts";
import { urlHost } from "../host.ts";

/** Whether a slice is of default/kubernetes, whose endpoints are the cluster's servers. */
export const isOfServers = ({ metadata }: Frozen<EndpointSlice>): boolean => metadata.namespace === "default" && metadata.labels?.["kubernetes.io/service-name"] === "kubernetes";

/** All servers of the cluster, such as `https://10.0.0.1:6443`. */
export const serverUrls = (slices: Lister<EndpointSlice>): string[] => slices.list("default").filter(isOfServers).flatMap(({ endpoints, ports }) =>
  endpoints.flatMap(({ addresses }) => addresses.map((address) => `https://${urlHost(address)}:${ports?.[0]?.port ?? 443}`)));
