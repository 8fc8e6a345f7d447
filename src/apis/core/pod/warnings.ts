import type { Frozen } from "../../../apimachinery/meta.ts";
import { milliValue } from "../../../apimachinery/quantity.ts";
import type { Container, PodSpec } from "../../generated/core/v1.ts";

/** Labels of nodes that were renamed. */
const renamedLabels: Readonly<Record<string, string>> = {
  "beta.kubernetes.io/arch": "deprecated since v1.14; use \"kubernetes.io/arch\" instead",
  "beta.kubernetes.io/os": "deprecated since v1.14; use \"kubernetes.io/os\" instead",
  "failure-domain.beta.kubernetes.io/region": "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
  "failure-domain.beta.kubernetes.io/zone": "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead",
  "beta.kubernetes.io/instance-type": "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead",
};

/** What is allowed in a pod spec and most likely not meant; a selection of k8s.io/kubernetes/pkg/api/pod/warnings.go. */
export function podSpecWarnings(field: string, spec: Frozen<PodSpec>): string[] {
  const warnings = Object.keys(spec.nodeSelector ?? {}).filter((key) => Object.hasOwn(renamedLabels, key)).map((key) => `${field}.nodeSelector[${key}]: ${renamedLabels[key]}`);
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0) warnings.push(`${field}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`);
  for (const list of ["initContainers", "containers"] as const) {
    for (const [index, container] of (spec[list] ?? []).entries()) warnings.push(...containerWarnings(`${field}.${list}[${index}]`, container));
  }
  return warnings;
}

function containerWarnings(field: string, { env = [], ports = [], resources }: Frozen<Container>): string[] {
  const warnings: string[] = [];
  const variables = new Set<string>(), taken = new Map<string, number>();
  for (const [index, { name }] of env.entries()) {
    if (variables.has(name)) warnings.push(`${field}.env[${index}]: hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`);
    variables.add(name);
  }
  for (const [index, { containerPort, protocol, hostPort = 0, hostIP = "" }] of ports.entries()) {
    const key = `${containerPort}/${protocol}/${hostIP}/${hostPort}`, first = taken.get(key);
    if (first === undefined) taken.set(key, index);
    else warnings.push(`${field}.ports[${index}]: duplicate port definition with ${field}.ports[${first}]`);
  }
  for (const list of ["limits", "requests"] as const) {
    for (const name of ["memory", "ephemeral-storage"]) {
      const amount = resources?.[list]?.[name];
      if (amount !== undefined && milliValue(amount) % 1000 !== 0) warnings.push(`${field}.resources.${list}[${name}]: fractional byte value ${JSON.stringify(amount)} is invalid, must be an integer`);
    }
  }
  return warnings;
}
