import { randomBytes } from "node:crypto";

/** A network namespace with an address and a default route, and one next to it that stands for the world outside. */
export interface NodeNetwork {
  /** The node's address; the world outside has `outsideIp`. */
  readonly ip: string;
  readonly outsideIp: string;
  /** The command, to be run in the node's namespace. /sys stays the machine's, so that cgroups are found. */
  inside(command: readonly string[]): string[];
  /** The command, to be run next door. */
  outside(command: readonly string[]): string[];
  dispose(): void;
}

export function createNodeNetwork(): NodeNetwork {
  const id = randomBytes(3).toString("hex");
  const node = `skt-${id}`, world = `skt-${id}-out`;
  const at = (namespace: string, command: readonly string[]): string[] => ["nsenter", `--net=/run/netns/${namespace}`, ...command];
  const ip = "192.168.73.2", outsideIp = "192.168.73.1";
  const network: NodeNetwork = {
    ip, outsideIp,
    inside: (command) => at(node, command),
    outside: (command) => at(world, command),
    dispose() {
      for (const namespace of [node, world]) Bun.spawnSync(["ip", "netns", "delete", namespace]);
    },
  };
  try {
    for (const namespace of [node, world]) run(["ip", "netns", "add", namespace]);
    run(["ip", "link", "add", "eth0", "netns", node, "type", "veth", "peer", "name", "eth0", "netns", world]);
    for (const [namespace, address] of [[node, ip], [world, outsideIp]] as const) {
      run(at(namespace, ["ip", "address", "add", `${address}/24`, "dev", "eth0"]));
      for (const link of ["lo", "eth0"]) run(at(namespace, ["ip", "link", "set", link, "up"]));
    }
    run(at(node, ["ip", "route", "add", "default", "via", outsideIp]));
  } catch (error) {
    network.dispose();
    throw error;
  }
  return network;
}

function run(command: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr.toString().trim()}`);
}
