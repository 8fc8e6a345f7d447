/** Labels of the kubernetes.io and k8s.io domains that a kubelet may set on its own node (k8s.io/kubelet/pkg/apis, well_known_labels.go). */
const allowed = new Set([
  "kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch", "node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type",
  "topology.kubernetes.io/region", "topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone",
  "beta.kubernetes.io/os", "beta.kubernetes.io/arch",
]);
const allowedDomains = ["kubelet.kubernetes.io", "node.kubernetes.io"];
const reservedDomains = ["kubernetes.io", "k8s.io"];

/** Keys of labels that were added, changed or removed and that only an administrator may touch, sorted. */
export function forbiddenLabelChanges(labels: Readonly<Record<string, string>>, old: Readonly<Record<string, string>>): string[] {
  const keys = new Set([...Object.keys(labels), ...Object.keys(old)]);
  return [...keys].filter((key) => labels[key] !== old[key] && isForbidden(key)).sort();
}

function isForbidden(key: string): boolean {
  const slash = key.indexOf("/");
  if (slash < 0 || allowed.has(key)) return false;
  const domain = key.slice(0, slash);
  if (domain === "node-restriction.kubernetes.io" || domain.endsWith(".node-restriction.kubernetes.io")) return true;
  if (allowedDomains.some((entry) => under(domain, entry))) return false;
  return reservedDomains.some((entry) => under(domain, entry));
}

const under = (domain: string, parent: string): boolean => domain === parent || domain.endsWith(`.${parent}`);
