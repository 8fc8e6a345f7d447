/** Where Kubernetes' own groups stand in discovery. Source: k8s.io/kubernetes cmd/kube-apiserver/app/aggregator.go and pkg/controlplane/apiserver/aggregator.go. */
const groups: Readonly<Record<string, number>> = {
  "": 18000, apps: 17800, "events.k8s.io": 17750, "authentication.k8s.io": 17700, "authorization.k8s.io": 17600, autoscaling: 17500, batch: 17400, "certificates.k8s.io": 17300,
  "networking.k8s.io": 17200, policy: 17100, "rbac.authorization.k8s.io": 17000, "storage.k8s.io": 16800, "apiextensions.k8s.io": 16700, "admissionregistration.k8s.io": 16700,
  "scheduling.k8s.io": 16600, "coordination.k8s.io": 16500, "node.k8s.io": 16300, "discovery.k8s.io": 16200, "resource.k8s.io": 16200, "flowcontrol.apiserver.k8s.io": 16100,
};

/** Versions other than a group's only one, which has 15. */
const versions: Readonly<Record<string, number>> = { "/v1": 1, "autoscaling/v2": 30, "flowcontrol.apiserver.k8s.io/v1": 21, "resource.k8s.io/v1": 21 };

/** Groups that this server serves where nobody else does, with the priorities that metrics-server asks for. */
const replaceable = new Map([["metrics.k8s.io", { group: 100, version: 100 }]]);
export const isReplaceable = (group: string): boolean => replaceable.has(group);

/** That of custom resources, for what isn't Kubernetes' own. */
const custom = { group: 1000, version: 100 };

export const groupPriority = (group: string): number => (Object.hasOwn(groups, group) ? groups[group]! : (replaceable.get(group) ?? custom).group);

export const versionPriority = (group: string, version: string): number =>
  (Object.hasOwn(groups, group) ? versions[`${group}/${version}`] ?? 15 : (replaceable.get(group) ?? custom).version);

export const isBuiltIn = (group: string): boolean => Object.hasOwn(groups, group);
