import type { Frozen } from "../../../apimachinery/meta.ts";
import { dns1123LabelErrors } from "../../../apimachinery/validation/names.ts";
import { formatQuantity, milliValue, quantityOf } from "../../../apimachinery/quantity.ts";
import type { Container, Pod, PodAffinityTerm, PodSpec, PodTemplateSpec, Volume } from "../../generated/core/v1.ts";
import { deprecatedNodeLabel, nodeTermWarnings } from "../node-labels.ts";
import { addressWarnings } from "../../networking/addresses.ts";
import { claimSpecWarnings } from "../volume/claim-warnings.ts";

/** Of a new pod; changes are made by programs, mostly. */
export function podWarnings(pod: Frozen<Pod>): string[] {
  const problems = dns1123LabelErrors(pod.metadata.name ?? "");
  return [
    ...(problems.length > 0 ? [`metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [${problems.join(" ")}]`] : []),
    ...podSpecWarnings("spec", pod.spec),
    ...annotationWarnings("", pod),
  ];
}

/**
 * What is allowed in a pod or a template and most likely not meant, as k8s.io/kubernetes/pkg/api/pod/warnings.go words it.
 * `field` is the spec's.
 */
export function podSpecWarnings(field: string, spec: Frozen<PodSpec>): string[] {
  const containers = (["initContainers", "containers", "ephemeralContainers"] as const)
    .flatMap((list) => (spec[list] ?? []).map((container, index): Placed => [`${field}.${list}[${index}]`, container as Frozen<Container>]));
  return [
    ...schedulingWarnings(field, spec),
    ...(spec.volumes ?? []).flatMap((volume, index) => volumeWarnings(`${field}.volumes[${index}]`, volume)),
    ...repeated(spec.hostAliases, ({ ip }) => ip, (index, ip) => `${field}.hostAliases[${index}].ip: duplicate ip ${ip}`),
    ...repeated(spec.imagePullSecrets, ({ name = "" }) => name, (index, name) => `${field}.imagePullSecrets[${index}].name: duplicate name ${name}`),
    ...(spec.imagePullSecrets ?? []).flatMap(({ name }, index) => (name ? [] : [`${field}.imagePullSecrets[${index}].name: invalid empty name ""`])),
    ...fractions(`${field}.overhead`, spec.overhead),
    ...containers.flatMap(([at, container]) => containerWarnings(at, container)),
    ...portWarnings(containers),
    ...((spec.terminationGracePeriodSeconds ?? 0) < 0 ? [`${field}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`] : []),
    ...affinityWarnings(`${field}.affinity`, spec.affinity),
    ...(spec.dnsConfig?.nameservers ?? []).flatMap((address, index) => addressWarnings(`${field}.dnsConfig.nameservers[${index}]`, address)),
    ...(spec.hostAliases ?? []).flatMap(({ ip }, index) => addressWarnings(`${field}.hostAliases[${index}].ip`, ip)),
  ];
}

type Placed = readonly [field: string, container: Frozen<Container>];

/** Annotations that are no longer read, of a pod or a template; `field` is where its metadata lies. */
export function annotationWarnings(field: string, { metadata, spec }: Frozen<PodTemplateSpec>): string[] {
  const annotations = metadata?.annotations ?? {}, at = `${field}metadata.annotations`;
  const warnings = Object.entries(unread).filter(([key]) => annotations[key] !== undefined).map(([key, text]) => `${at}[${key}]: ${text}`);
  const seccomp = (key: string): string => `${at}[${key}]: non-functional in v1.27+; use the "seccompProfile" field instead`;
  if (!spec?.securityContext?.seccompProfile && annotations[seccompOfPod] !== undefined) warnings.push(seccomp(seccompOfPod));
  for (const { name, securityContext } of [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])]) {
    const key = `container.seccomp.security.alpha.kubernetes.io/${name}`, appArmor = `container.apparmor.security.beta.kubernetes.io/${name}`;
    if (!securityContext?.seccompProfile && annotations[key] !== undefined) warnings.push(seccomp(key));
    // Of pods, the admission of the field's value says it.
    if (field && !securityContext?.appArmorProfile && annotations[appArmor] !== undefined) warnings.push(`${at}[${appArmor}]: deprecated since v1.30; use the "appArmorProfile" field instead`);
  }
  return warnings;
}

const seccompOfPod = "seccomp.security.alpha.kubernetes.io/pod";
const unread: Readonly<Record<string, string>> = {
  "scheduler.alpha.kubernetes.io/critical-pod": "non-functional in v1.16+; use the \"priorityClassName\" field instead",
  "security.alpha.kubernetes.io/sysctls": "non-functional in v1.11+; use the \"sysctls\" field instead",
  "security.alpha.kubernetes.io/unsafe-sysctls": "non-functional in v1.11+; use the \"sysctls\" field instead",
};

function schedulingWarnings(field: string, { nodeSelector, affinity, topologySpreadConstraints }: Frozen<PodSpec>): string[] {
  const node = affinity?.nodeAffinity, at = `${field}.affinity.nodeAffinity`;
  return [
    ...Object.keys(nodeSelector ?? {}).flatMap((key) => (deprecatedNodeLabel(key) === undefined ? [] : [`${field}.nodeSelector[${key}]: ${deprecatedNodeLabel(key)}`])),
    ...(node?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []).flatMap((term, index) => nodeTermWarnings(`${at}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[${index}]`, term, false)),
    ...(node?.preferredDuringSchedulingIgnoredDuringExecution ?? []).flatMap(({ preference }, index) => nodeTermWarnings(`${at}.preferredDuringSchedulingIgnoredDuringExecution[${index}].preference`, preference ?? {}, true)),
    ...(topologySpreadConstraints ?? []).flatMap(({ topologyKey, labelSelector }, index) => {
      const message = deprecatedNodeLabel(topologyKey), place = `${field}.topologySpreadConstraints[${index}]`;
      return [...(message === undefined ? [] : [`${place}.topologyKey: ${topologyKey} is ${message}`]), ...(labelSelector ? [] : [`${place}.labelSelector: a null labelSelector results in matching no pod`])];
    }),
  ];
}

const retiredVolumes = [
  ["photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"], ["gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"],
  ["scaleIO", "deprecated in v1.16, non-functional in v1.22+"], ["flocker", "deprecated in v1.22, non-functional in v1.25+"],
  ["storageos", "deprecated in v1.22, non-functional in v1.25+", "storageOS"], ["quobyte", "deprecated in v1.22, non-functional in v1.25+"],
  ["glusterfs", "deprecated in v1.25, non-functional in v1.26+"], ["cephfs", "deprecated in v1.28, non-functional in v1.31+"], ["rbd", "deprecated in v1.28, non-functional in v1.31+"],
] as const;

function volumeWarnings(field: string, volume: Frozen<Volume>): string[] {
  const claim = volume.ephemeral?.volumeClaimTemplate?.spec;
  return [
    ...retiredVolumes.filter(([name]) => volume[name]).map(([name, text, shown]) => `${field}.${shown ?? name}: ${text}`),
    ...(volume.projected?.sources ?? []).filter((source) => Object.keys(source).length === 0).map(() => `volume ${JSON.stringify(volume.name)} (Projected) has no sources provided`),
    ...(claim ? claimSpecWarnings(`${field}.ephemeral.volumeClaimTemplate.spec`, claim) : []),
  ];
}

function repeated<T>(items: readonly T[] | undefined, keyOf: (item: T) => string, warning: (index: number, quoted: string) => string): string[] {
  const seen = new Set<string>();
  return (items ?? []).flatMap((item, index) => {
    const key = keyOf(item);
    if (seen.has(key)) return [warning(index, JSON.stringify(key))];
    seen.add(key);
    return [];
  });
}

function fractions(field: string, amounts: Readonly<Record<string, string | number>> | undefined, names: readonly string[] = ["memory", "ephemeral-storage"]): string[] {
  return names.flatMap((name) => {
    const amount = amounts?.[name];
    if (amount === undefined || milliValue(amount) % 1000 === 0) return [];
    return [`${field}[${name}]: fractional byte value ${JSON.stringify(formatQuantity(quantityOf(amount)))} is invalid, must be an integer`];
  });
}

function containerWarnings(field: string, { env = [], resources }: Frozen<Container>): string[] {
  const warnings = ["memory", "ephemeral-storage"].flatMap((name) => (["limits", "requests"] as const).flatMap((list) => fractions(`${field}.resources.${list}`, resources?.[list], [name])));
  const variables = new Set<string>();
  for (const [index, { name, value = "", valueFrom }] of env.entries()) {
    const extends_ = !valueFrom && value !== `$(${name})` && value.includes(`$(${name})`);
    if (variables.has(name) && !extends_) warnings.push(`${field}.env[${index}]: hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`);
    variables.add(name);
  }
  return warnings;
}

/** Ports of one pod that get into each other's way, or that no name can tell apart. */
function portWarnings(containers: readonly Placed[]): string[] {
  const ports = containers.flatMap(([field, { ports: list = [] }]) => list.map((port, index) => ({ field: `${field}.ports[${index}]`, hostIP: port.hostIP ?? "", hostPort: port.hostPort ?? 0, ...port })));
  const warnings: string[] = [];
  for (const [place, { field, hostIP, hostPort, containerPort, protocol, name = "" }] of ports.entries()) {
    if (hostIP && !hostPort) warnings.push(`${field}: hostIP set without hostPort: {Name:${name} HostPort:0 ContainerPort:${containerPort} Protocol:${protocol} HostIP:${hostIP}}`);
    for (const other of ports.slice(0, place)) {
      if (other.containerPort !== containerPort || other.protocol !== protocol) continue;
      if (other.hostIP === hostIP && other.hostPort === hostPort) warnings.push(`${field}: duplicate port definition with ${other.field}`);
      else if (!hostPort || !other.hostPort) warnings.push(`${field}: overlapping port definition with ${other.field}`);
      else if (other.hostPort === hostPort && (hostIP === "") !== (other.hostIP === "")) warnings.push(`${field}: dangerously ambiguous port definition with ${other.field}`);
    }
  }
  const names = new Map<string, string>();
  for (const { field, name } of ports) {
    const first = name && names.get(name);
    if (first) warnings.push(`${field}: duplicate port name ${JSON.stringify(name)} with ${first}, services and probes that select ports by name will use ${first}`);
    else if (name) names.set(name, field);
  }
  return warnings;
}

function affinityWarnings(field: string, affinity: Frozen<PodSpec>["affinity"]): string[] {
  return (["podAffinity", "podAntiAffinity"] as const).flatMap((name) => {
    const { requiredDuringSchedulingIgnoredDuringExecution: needed = [], preferredDuringSchedulingIgnoredDuringExecution: preferred = [] } = affinity?.[name] ?? {};
    return [
      ...needed.flatMap((term, index) => termWarnings(`${field}.${name}.requiredDuringSchedulingIgnoredDuringExecution[${index}]`, term)),
      ...preferred.flatMap(({ podAffinityTerm }, index) => termWarnings(`${field}.${name}.preferredDuringSchedulingIgnoredDuringExecution[${index}].podAffinityTerm`, podAffinityTerm)),
    ];
  });
}

const termWarnings = (field: string, term: Frozen<PodAffinityTerm> | undefined): string[] => (term?.labelSelector ? [] : [`${field}.labelSelector: a null labelSelector results in matching no pod`]);
