import type { PolicyPod } from "../../agents/netpol/compiled.ts";
import type { NetworkPolicy, NetworkPolicySpec } from "../../src/apis/generated/networking/v1.ts";

const apps = ["web", "api", "db", "cache", "queue"];

/** The pod of that number in the namespace of that number. */
export const podNumber = (namespace: number, number: number): PolicyPod => ({
  namespace: `shop-${namespace}`, labels: { app: apps[number % apps.length]!, tier: String(number % 7) }, ips: [`10.42.${number >> 8}.${number & 255}`, `fd42::${number.toString(16)}`], local: true,
  ports: [{ name: "http", protocol: "tcp", port: 80 }],
});

/** Five in each of ten namespaces, of the kinds that people write. */
export function policiesOf(count: number, port = 8080): NetworkPolicy[] {
  return Array.from({ length: count }, (_, i) => {
    const app = { matchLabels: { app: apps[i % apps.length]! } }, next = { matchLabels: { app: apps[(i + 1) % apps.length]! } };
    const kinds: NetworkPolicySpec[] = [
      { podSelector: {}, policyTypes: ["Ingress", "Egress"], ingress: [{ from: [{ podSelector: {} }] }], egress: [{ to: [{ podSelector: {} }] }] },
      { podSelector: app, ingress: [{ from: [{ podSelector: next }], ports: [{ port: "http" }, { port }] }] },
      { podSelector: app, ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: "a" } } }] }] },
      { podSelector: app, egress: [{ to: [{ ipBlock: { cidr: "10.0.0.0/8", except: ["10.96.0.0/12"] } }], ports: [{ port: 5432, endPort: 5440 }] }], policyTypes: ["Egress"] },
      { podSelector: { matchExpressions: [{ key: "tier", operator: "In", values: ["1", "2"] }] }, ingress: [{ from: [{ namespaceSelector: {}, podSelector: app }] }] },
    ];
    return { metadata: { namespace: `shop-${Math.floor(i / 5) % 10}`, name: `policy-${i}` }, spec: kinds[i % kinds.length]! };
  });
}
