/** A Service on port 80 with endpoints on port 8080. */
export interface ChainService {
  name: string;
  ip: string;
  endpoints: readonly string[];
}

const table = "ip chains";

/** Rules in the shape of kube-proxy's nftables mode, to compare with: a chain for each Service, whose rule has a map of its own. */
export function kubeProxyRules(services: readonly ChainService[]): string {
  const lines = [
    `add table ${table}`, `add map ${table} service-ips { type ipv4_addr . inet_proto . inet_service : verdict; }`, `add set ${table} cluster-ips { type ipv4_addr; }`,
    `add chain ${table} prerouting { type nat hook prerouting priority -100; }`, `add chain ${table} output { type nat hook output priority -100; }`, `add chain ${table} postrouting { type nat hook postrouting priority 100; }`,
    `add chain ${table} services`, `add rule ${table} prerouting jump services`, `add rule ${table} output jump services`,
    `add rule ${table} services ip daddr @cluster-ips ip saddr != 10.42.0.0/16 mark set mark or 0x4000`, `add rule ${table} services ip daddr . meta l4proto . th dport vmap @service-ips`,
    `add rule ${table} postrouting mark and 0x4000 != 0 mark set mark xor 0x4000 masquerade fully-random`,
  ];
  for (const { name, ip, endpoints } of services) {
    lines.push(
      `add chain ${table} ${name}`, `add rule ${table} ${name} meta l4proto tcp dnat ip addr . port to numgen random mod ${endpoints.length} map { ${endpoints.map((endpoint, index) => `${index} : ${endpoint} . 8080`).join(", ")} }`,
      `add element ${table} cluster-ips { ${ip} }`, `add element ${table} service-ips { ${ip} . tcp . 80 : goto ${name} }`,
    );
  }
  return `${lines.join("\n")}\n`;
}
