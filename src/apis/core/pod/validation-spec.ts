import { forbiddenField, invalidValue, required, tooLong, type FieldError } from "../../../apimachinery/field-errors.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import { maxLengthError, regexError } from "../../../apimachinery/validation/names.ts";
import { validateAnnotations, validateLabels } from "../../../apimachinery/validation/object-meta.ts";
import type { HostAlias, PodSpec, PodTemplateSpec } from "../../generated/core/v1.ts";
import { dnsLabel, dnsSubdomain, given, ipAddress, labelName, oneOf, within } from "../field-rules.ts";
import { validatePodClaims } from "./validation-claims.ts";
import { validateContainers } from "./validation-containers.ts";
import { validateResources } from "./validation-resources.ts";
import { validateAffinity, validateSchedulingGates, validateSpread, validateTolerations } from "./validation-scheduling.ts";
import { validatePodSecurity } from "./validation-security.ts";
import { validateVolumes } from "./validation-volumes.ts";

/** The spec of a pod (`inPod`) or of a pod template, which leaves some things to be defaulted later. */
export function validatePodSpec(field: string, spec: Frozen<PodSpec>, inPod: boolean): FieldError[] {
  const volumes = validateVolumes(`${field}.volumes`, spec.volumes);
  return [
    ...volumes.errors,
    ...validatePodClaims(`${field}.resourceClaims`, spec.resourceClaims),
    ...validateContainers(field, spec, volumes.names),
    ...(spec.resources ? validateResources(`${field}.resources`, spec.resources, new Set()) : []),
    ...validateHostNetworkPorts(field, spec, inPod),
    ...oneOf(`${field}.restartPolicy`, spec.restartPolicy, ["Always", "OnFailure", "Never"]),
    ...oneOf(`${field}.dnsPolicy`, spec.dnsPolicy, ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]),
    ...validateLabels(spec.nodeSelector, `${field}.nodeSelector`),
    ...validatePodSecurity(field, spec),
    ...validateAffinity(`${field}.affinity`, spec.affinity),
    ...validateDnsConfig(`${field}.dnsConfig`, spec),
    ...(spec.readinessGates ?? []).flatMap(({ conditionType }, index) => labelName(`${field}.readinessGates[${index}].conditionType`, conditionType)),
    ...validateSchedulingGates(`${field}.schedulingGates`, spec.schedulingGates),
    ...validateSpread(`${field}.topologySpreadConstraints`, spec.topologySpreadConstraints),
    ...validateHostUsers(field, spec),
    ...given(spec.serviceAccountName, (name) => dnsSubdomain(`${field}.serviceAccountName`, name)),
    ...given(spec.nodeName, (name) => dnsSubdomain(`${field}.nodeName`, name)),
    ...given(spec.activeDeadlineSeconds, (seconds) => within(`${field}.activeDeadlineSeconds`, seconds, 1, 2 ** 31 - 1)),
    ...(spec.hostnameOverride === undefined ? [] : validateHostnameOverride(`${field}.hostnameOverride`, spec, spec.hostnameOverride)),
    ...given(spec.hostname, (name) => dnsLabel(`${field}.hostname`, name)),
    ...given(spec.subdomain, (name) => dnsLabel(`${field}.subdomain`, name)),
    ...validateTolerations(`${field}.tolerations`, spec.tolerations),
    ...validateHostAliases(`${field}.hostAliases`, spec.hostAliases),
    ...given(spec.priorityClassName, (name) => dnsSubdomain(`${field}.priorityClassName`, name)),
    ...given(spec.runtimeClassName, (name) => dnsSubdomain(`${field}.runtimeClassName`, name)),
    ...given(spec.preemptionPolicy, (policy) => oneOf(`${field}.preemptionPolicy`, policy, ["PreemptLowerPriority", "Never"])),
    ...(spec.overhead ? validateResources(`${field}.overhead`, { limits: spec.overhead }, new Set()).map((error) => ({ ...error, field: error.field.replace(".overhead.limits[", ".overhead[") })) : []),
    ...(spec.os ? oneOf(spec.os.name ? `${field}.os` : `${field}.os.name`, spec.os.name, ["linux", "windows"]) : []),
  ];
}

function validateHostNetworkPorts(field: string, { hostNetwork, containers = [] }: Frozen<PodSpec>, inPod: boolean): FieldError[] {
  if (!hostNetwork) return [];
  return containers.flatMap(({ ports = [] }, index) => ports.flatMap(({ hostPort = 0, containerPort }, place) =>
    (inPod || hostPort !== 0) && hostPort !== containerPort
      ? [invalidValue(`${field}.containers[${index}].ports[${place}].hostPort`, hostPort, "must match `containerPort` when `hostNetwork` is true")]
      : []));
}

/** A user namespace of its own does not go together with the node's other namespaces. */
function validateHostUsers(field: string, spec: Frozen<PodSpec>): FieldError[] {
  if (spec.hostUsers !== false) return [];
  const refused = ([["hostNetwork", spec.hostNetwork], ["HostPID", spec.hostPID], ["HostIPC", spec.hostIPC]] as const).filter(([, set]) => set).map(([name]) => name as string);
  for (const list of ["initContainers", "containers", "ephemeralContainers"] as const) {
    for (const [index, { volumeDevices }] of (spec[list] ?? []).entries()) if (volumeDevices?.length) refused.push(`${list}[${index}].volumeDevices`);
  }
  return refused.map((name) => forbiddenField(`${field}.${name}`, "when `hostUsers` is false"));
}

function validateDnsConfig(field: string, { dnsPolicy, dnsConfig }: Frozen<PodSpec>): FieldError[] {
  const { nameservers = [], searches = [], options = [] } = dnsConfig ?? {};
  if (dnsPolicy === "None") {
    if (!dnsConfig) return [required(field, "must provide `dnsConfig` when `dnsPolicy` is None")];
    if (nameservers.length === 0) return [required(`${field}.nameservers`, "must provide at least one DNS nameserver when `dnsPolicy` is None")];
  }
  const errors: FieldError[] = [];
  if (nameservers.length > 3) errors.push(invalidValue(`${field}.nameservers`, nameservers, "must not have more than 3 nameservers"));
  errors.push(...nameservers.flatMap((address, index) => ipAddress(`${field}.nameservers[${index}]`, address)));
  if (searches.length > 32) errors.push(invalidValue(`${field}.searches`, searches, "must not have more than 32 search paths"));
  if (searches.join(" ").length > 2048) errors.push(invalidValue(`${field}.searches`, searches, "must not have more than 2048 characters (including spaces) in the search list"));
  for (const [index, search] of searches.entries()) errors.push(...validateSearch(`${field}.searches[${index}]`, search));
  return [...errors, ...options.flatMap(({ name }, index) => (name ? [] : [required(`${field}.options[${index}]`, "must not be empty")]))];
}

function validateHostnameOverride(field: string, { setHostnameAsFQDN, hostNetwork }: Frozen<PodSpec>, name: string): FieldError[] {
  return [
    ...(setHostnameAsFQDN ? [forbiddenField(field, "may not be specified when setHostnameAsFQDN is true")] : []),
    ...(hostNetwork ? [forbiddenField(field, "may not be specified when hostNetwork is true")] : []),
    ...(name.length > 64 ? [tooLong(field, 64)] : []),
    ...dnsSubdomain(field, name),
  ];
}

const searchLabel = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?", searchDomain = `${searchLabel}(\\.${searchLabel})*`;
const isSearchDomain = new RegExp(`^${searchDomain}$`);
const searchDomainMessage = regexError("a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character", searchDomain, "example.com");

/** A domain to search; underscores are met in practice. */
function validateSearch(field: string, search: string): FieldError[] {
  if (search === ".") return [];
  const domain = search.endsWith(".") ? search.slice(0, -1) : search;
  const errors = domain.length > 253 ? [invalidValue(field, domain, maxLengthError(253))] : [];
  return isSearchDomain.test(domain) ? errors : [...errors, invalidValue(field, domain, searchDomainMessage)];
}

function validateHostAliases(field: string, aliases: Frozen<HostAlias[]> | undefined): FieldError[] {
  return (aliases ?? []).flatMap(({ ip, hostnames = [] }, index) => [
    ...ipAddress(`${field}[${index}].ip`, ip ?? ""),
    ...hostnames.flatMap((name, place) => dnsSubdomain(`${field}[${index}].hostnames[${place}]`, name)),
  ]);
}

/** The template of a Deployment, ReplicaSet and the like. */
export function validatePodTemplate(field: string, { metadata, spec }: Frozen<PodTemplateSpec>): FieldError[] {
  const ephemeral = spec?.ephemeralContainers?.length ? [forbiddenField(`${field}.spec.ephemeralContainers`, "ephemeral containers not allowed in pod template")] : [];
  return [...validateLabels(metadata?.labels, `${field}.labels`), ...validateAnnotations(metadata?.annotations, `${field}.annotations`), ...validatePodSpec(`${field}.spec`, (spec ?? {}) as Frozen<PodSpec>, false), ...ephemeral];
}
