import { existsSync, readFileSync } from "node:fs";
import { pauseReference } from "./pause.ts";
import type { RegistryAuth } from "./registries.ts";
import type { RuntimeHandler } from "./runtimes.ts";

export interface ContainerdPaths {
  /** Images and snapshots; survives reboots. */
  root: string;
  /** Running tasks; best on a tmpfs. */
  state: string;
  socket: string;
  cniConfDir: string;
  /** Where the plugins are, when it isn't the distribution's place. */
  cniBinDir?: string;
}

/** Where distributions put the standard CNI plugins. */
const cniBinDirs = ["/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"];

export const findCniBinDir = (): string => cniBinDirs.find((dir) => existsSync(`${dir}/ptp`)) ?? cniBinDirs[0]!;

/** What of the host changes the configuration. */
export interface HostFeatures {
  cniBinDir: string;
  /** CAP_SYS_RESOURCE: without it nobody may lower an oom_score_adj, and runc fails obscurely. */
  canLowerOomScore: boolean;
  apparmor: boolean;
}

export function hostFeatures(): HostFeatures {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  const capSysResource = 24n;
  return {
    cniBinDir: findCniBinDir(),
    canLowerOomScore: ((BigInt(`0x${effective}`) >> capSysResource) & 1n) === 1n,
    apparmor: existsSync("/sys/kernel/security/apparmor/profiles"),
  };
}

export interface ContainerdSettings {
  runtimes: readonly RuntimeHandler[];
  /** Where hosts.toml files are, and credentials by host. */
  registries: { directory: string; auths: Readonly<Record<string, RegistryAuth>> };
  /** The administrator's own lines, put behind ours. */
  more: string;
}

/** containerd's configuration, version 2: understood by 1.5 up to 2.x. */
export function containerdConfig({ root, state, socket, cniConfDir, cniBinDir }: ContainerdPaths, host: HostFeatures, { runtimes, registries, more }: ContainerdSettings): string {
  return `# Written by skiff at every start; changes here are lost. Lines of your own go into extra.toml beside this file.
version = 2
root = ${text(root)}
state = ${text(state)}
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]

[grpc]
  address = ${text(socket)}

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${text(pauseReference)}
  restrict_oom_score_adj = ${!host.canLowerOomScore}
  netns_mounts_under_state_dir = true
  disable_apparmor = ${!host.apparmor}
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  device_ownership_from_security_context = true
  # How often every writable layer is counted: half as often as containerd would, which is most of what it does while nothing happens.
  stats_collect_period = 20

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = ${text(cniBinDir ?? host.cniBinDir)}
    conf_dir = ${text(cniConfDir)}

  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = ${text(registries.directory)}
${Object.entries(registries.auths).map(authTable).join("")}
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = ${text((runtimes.find(({ binary }) => binary) ?? runtimes[0]!).name)}
${runtimes.map(runtimeTable).join("")}${more && `\n${more.trimEnd()}\n`}`;
}

const text = (value: string): string => JSON.stringify(value);

function runtimeTable({ name, type, binary }: RuntimeHandler): string {
  const table = `[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.${text(name)}`;
  return `
    ${table}]
      runtime_type = ${text(type)}
${binary ? `      ${table}.options]
        BinaryName = ${text(binary)}
        SystemdCgroup = false
` : ""}`;
}

function authTable([host, { username, password, auth, identity_token: identity }]: [string, RegistryAuth]): string {
  const lines = Object.entries({ username, password, auth, identitytoken: identity }).flatMap(([key, value]) => (value === undefined ? [] : [`      ${key} = ${text(value)}\n`]));
  return `    [plugins."io.containerd.grpc.v1.cri".registry.configs.${text(host)}.auth]\n${lines.join("")}`;
}
