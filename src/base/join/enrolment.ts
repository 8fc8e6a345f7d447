/** What a joining machine and a server say to each other: `POST /v1-skiff/enroll`, JSON both ways; refusals are Kubernetes Status objects. */

export const enrolPath = "/v1-skiff/enroll";
export const caPath = "/cacerts";
/** `POST` of a `ClusterQuestion` by a node, known by its certificate: answered with what it was told when it enrolled, a `ClusterAnswer`. */
export const clusterPath = "/v1-skiff/cluster";

/** The certificates a node has: by which the kubelet and the parts beside it talk to the API server, and that of the kubelet's own API. */
export const identities = ["kubelet", "network", "serving"] as const;
export type IdentityName = (typeof identities)[number];

export interface EnrolmentRequest {
  nodeName: string;
  /** Made by the node at its first start: whoever knows it is that node. */
  nodePassword: string;
  /** IP addresses for the serving certificate. */
  addresses: string[];
  /** PKCS#10 in PEM. The server takes nothing but the public keys from them. */
  requests: Record<IdentityName, string>;
}

export interface Enrolment extends ClusterAnswer {
  /** PEM. */
  certificates: Record<IdentityName, string>;
  /** PEM of the CA by which the kubelet knows who calls it. */
  clientCa: string;
}

export interface ClusterQuestion {
  /** Remembered when it was forgotten; refused when another machine has the node's name by now. */
  nodePassword: string;
}

export interface ClusterAnswer {
  cluster: ClusterConfiguration;
  /** All servers of the cluster, such as `https://10.0.0.1:6443`. */
  servers: string[];
}

/** What is the same on every node. */
export interface ClusterConfiguration {
  /** One network of a family, or one of each, the first being preferred; the same goes for what follows. */
  clusterCidrs: string[];
  serviceCidrs: string[];
  clusterDns: string[];
  clusterDomain: string;
}
