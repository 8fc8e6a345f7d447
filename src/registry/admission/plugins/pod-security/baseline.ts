import type { Frozen } from "../../../../apimachinery/meta.ts";
import type { Lifecycle, Probe, SELinuxOptions } from "../../../../apis/generated/core/v1.ts";
import { containersOf, named, namesWhere, notInUserNamespace, plural, quoted, settersOf, sorted, type Check, type CheckPod } from "./check.ts";

const appArmorPrefix = "container.apparmor.security.beta.kubernetes.io/";

const appArmorProfile: CheckPod = (pod) => {
  const bad = (profile: { type: string } | undefined): boolean => profile !== undefined && profile.type !== "RuntimeDefault" && profile.type !== "Localhost";
  const podProfile = pod.spec.securityContext?.appArmorProfile;
  const values = sorted([podProfile, ...containersOf(pod).map((container) => container.securityContext?.appArmorProfile)].filter(bad).map((profile) => profile!.type));
  const annotations = Object.entries(pod.annotations)
    .filter(([key, value]) => key.startsWith(appArmorPrefix) && value !== "" && value !== "runtime/default" && !value.startsWith("localhost/"))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`).sort();
  const setters = settersOf(pod, bad(podProfile), (context) => bad(context.appArmorProfile));
  const all = [...(setters ? [setters] : []), ...(annotations.length ? [plural("annotation", annotations.length)] : [])].join(" and ");
  if (!all) return undefined;
  const shown = [...values, ...annotations];
  return { reason: plural("forbidden AppArmor profile", shown.length), detail: `${all} must not set AppArmor profile type to ${quoted(shown)}` };
};

const defaultCapabilities = new Set(["AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"]);

const capabilities: CheckPod = (pod) => {
  const added = new Set<string>();
  const names = namesWhere(pod, ({ securityContext }) => {
    const extra = (securityContext?.capabilities?.add ?? []).filter((capability) => !defaultCapabilities.has(capability));
    for (const capability of extra) added.add(capability);
    return extra.length > 0;
  });
  return names.length ? { reason: "non-default capabilities", detail: `${named(names)} must not include ${quoted(sorted(added))} in securityContext.capabilities.add` } : undefined;
};

const hostNamespaces: CheckPod = ({ spec }) => {
  const shared = (["hostNetwork", "hostPID", "hostIPC"] as const).filter((field) => spec[field]).map((field) => `${field}=true`);
  return shared.length ? { reason: "host namespaces", detail: shared.join(", ") } : undefined;
};

const hostPathVolumes: CheckPod = ({ spec }) => {
  const names = (spec.volumes ?? []).filter(({ hostPath }) => hostPath).map(({ name }) => name);
  return names.length ? { reason: "hostPath volumes", detail: named(names, "volume") } : undefined;
};

const hostPorts: CheckPod = (pod) => {
  const ports = sorted(containersOf(pod).flatMap((container) => (container.ports ?? []).filter(({ hostPort }) => hostPort).map(({ hostPort }) => String(hostPort))));
  const names = namesWhere(pod, (container) => (container.ports ?? []).some(({ hostPort }) => hostPort));
  return names.length ? { reason: "hostPort", detail: `${named(names)} ${names.length === 1 ? "uses" : "use"} ${plural("hostPort", ports.length)} ${ports.join(", ")}` } : undefined;
};

const hostsOf = (handler: Frozen<Probe | NonNullable<Lifecycle["preStop"]>> | undefined): string[] => [handler?.httpGet?.host, handler?.tcpSocket?.host].filter((host): host is string => Boolean(host));

const probeHosts: CheckPod = (pod) => {
  const found = containersOf(pod).map(({ name, livenessProbe, readinessProbe, startupProbe, lifecycle }) =>
    ({ name, hosts: [livenessProbe, readinessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop].flatMap(hostsOf) })).filter(({ hosts }) => hosts.length > 0);
  const names = sorted(found.map(({ name }) => name)), hosts = sorted(found.flatMap((each) => each.hosts));
  return names.length ? { reason: "probe or lifecycle host", detail: `${named(names)} ${names.length === 1 ? "uses" : "use"} ${plural("probe or lifecycle host", hosts.length)} ${quoted(hosts)}` } : undefined;
};

const privileged: CheckPod = (pod) => {
  const names = namesWhere(pod, ({ securityContext }) => securityContext?.privileged === true);
  return names.length ? { reason: "privileged", detail: `${named(names)} must not set securityContext.privileged=true` } : undefined;
};

export const procMount: CheckPod = (pod) => {
  const bad = (type: string | undefined): boolean => type !== undefined && type !== "Default";
  const names = namesWhere(pod, ({ securityContext }) => bad(securityContext?.procMount));
  const kinds = sorted(containersOf(pod).map(({ securityContext }) => securityContext?.procMount).filter(bad) as string[]);
  return names.length ? { reason: "procMount", detail: `${named(names)} must not set securityContext.procMount to ${quoted(kinds)}` } : undefined;
};

const seLinuxOptions = (allowed: ReadonlySet<string>): CheckPod => (pod) => {
  const faulty = (options: Frozen<SELinuxOptions> | undefined): boolean => options !== undefined && (!allowed.has(options.type ?? "") || Boolean(options.user) || Boolean(options.role));
  const podOptions = pod.spec.securityContext?.seLinuxOptions;
  const setters = settersOf(pod, faulty(podOptions), (context) => faulty(context.seLinuxOptions));
  if (!setters) return undefined;
  const all = [podOptions, ...containersOf(pod).map(({ securityContext }) => securityContext?.seLinuxOptions)];
  const types = sorted(all.map((options) => options?.type ?? "").filter((type) => !allowed.has(type)));
  const faults = [...(types.length ? [`${plural("type", types.length)} ${quoted(types)}`] : []), ...(all.some((options) => options?.user) ? ["user may not be set"] : []), ...(all.some((options) => options?.role) ? ["role may not be set"] : [])];
  return { reason: "seLinuxOptions", detail: `${setters} set forbidden securityContext.seLinuxOptions: ${faults.join("; ")}` };
};
const seLinuxTypes = ["", "container_t", "container_init_t", "container_kvm_t"];

const seccompAnnotations: CheckPod = (pod) => {
  const keys = ["seccomp.security.alpha.kubernetes.io/pod", ...containersOf(pod).map(({ name }) => `container.seccomp.security.alpha.kubernetes.io/${name}`)];
  const bad = (value: string | undefined): boolean => value !== undefined && value !== "runtime/default" && value !== "docker/default" && !value.startsWith("localhost/");
  const found = sorted(keys.filter((key) => bad(pod.annotations[key])).map((key) => `${key}=${JSON.stringify(pod.annotations[key])}`));
  return found.length ? { reason: "seccompProfile", detail: `forbidden ${plural("annotation", found.length)} ${found.join(", ")}` } : undefined;
};

export const isBadSeccomp = (profile: { type: string } | undefined): boolean => profile !== undefined && profile.type !== "RuntimeDefault" && profile.type !== "Localhost";

export const seccompProfile: CheckPod = (pod) => {
  const podProfile = pod.spec.securityContext?.seccompProfile;
  const setters = settersOf(pod, isBadSeccomp(podProfile), (context) => isBadSeccomp(context.seccompProfile));
  if (!setters) return undefined;
  const values = sorted([podProfile, ...containersOf(pod).map(({ securityContext }) => securityContext?.seccompProfile)].filter(isBadSeccomp).map((profile) => profile!.type));
  return { reason: "seccompProfile", detail: `${setters} must not set securityContext.seccompProfile.type to ${quoted(values)}` };
};

const sysctls = (...allowed: readonly string[]): CheckPod => ({ spec }) => {
  const names = (spec.securityContext?.sysctls ?? []).map(({ name }) => name).filter((name) => !allowed.includes(name));
  return names.length ? { reason: "forbidden sysctls", detail: names.join(", ") } : undefined;
};
const sysctls0 = ["kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start"];
const sysctls27 = [...sysctls0, "net.ipv4.ip_local_reserved_ports"];
const sysctls29 = [...sysctls27, "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes"];

const hostProcess: CheckPod = (pod) => {
  const setters = settersOf(pod, pod.spec.securityContext?.windowsOptions?.hostProcess === true, (context) => context.windowsOptions?.hostProcess === true);
  return setters ? { reason: "hostProcess", detail: `${setters} must not set securityContext.windowsOptions.hostProcess=true` } : undefined;
};

/** The baseline level, in the order in which violations are named. */
export const baseline: readonly Check[] = [
  { id: "appArmorProfile", versions: [{ since: 0, check: appArmorProfile }] },
  { id: "capabilities_baseline", versions: [{ since: 0, check: capabilities }] },
  { id: "hostNamespaces", versions: [{ since: 0, check: hostNamespaces }] },
  { id: "hostPathVolumes", versions: [{ since: 0, check: hostPathVolumes }] },
  { id: "hostPorts", versions: [{ since: 0, check: hostPorts }] },
  { id: "hostProbesAndHostLifecycle", versions: [{ since: 34, check: probeHosts }] },
  { id: "privileged", versions: [{ since: 0, check: privileged }] },
  { id: "procMount", versions: [{ since: 0, check: procMount }, { since: 35, check: notInUserNamespace(procMount) }] },
  { id: "seLinuxOptions", versions: [{ since: 0, check: seLinuxOptions(new Set(seLinuxTypes)) }, { since: 31, check: seLinuxOptions(new Set([...seLinuxTypes, "container_engine_t"])) }] },
  { id: "seccompProfile_baseline", versions: [{ since: 0, check: seccompAnnotations }, { since: 19, check: seccompProfile }] },
  { id: "sysctls", versions: [{ since: 0, check: sysctls(...sysctls0) }, { since: 27, check: sysctls(...sysctls27) }, { since: 29, check: sysctls(...sysctls29) }, { since: 32, check: sysctls(...sysctls29, "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem") }] },
  { id: "windowsHostProcess", versions: [{ since: 0, check: hostProcess }] },
];
