import type { Frozen } from "../../../apimachinery/meta.ts";
import type { Container, Pod, PodSpec, ServiceAccount } from "../../../apis/generated/core/v1.ts";

/** A mirror pod shows what a node runs by itself: it gets nothing from the API. */
export function mirrorProblem({ spec }: Pod): string | undefined {
  if (spec.serviceAccountName) return "a mirror pod may not reference service accounts";
  const containers = [...spec.initContainers ?? [], ...spec.containers ?? []];
  const sources = (spec.volumes ?? []).flatMap(({ projected }) => projected?.sources ?? []);
  const secrets = spec.imagePullSecrets?.length || spec.volumes?.some(({ secret }) => secret) || sources.some(({ secret }) => secret) || containers.some((container) => secretsOf(container).length > 0);
  if (secrets) return "a mirror pod may not reference secrets";
  return sources.some(({ serviceAccountToken }) => serviceAccountToken) ? "a mirror pod may not use ServiceAccountToken volume projections" : undefined;
}

/** Which secret a pod uses that its account does not list, when the account is annotated to hold pods to its list. */
export function secretProblem(spec: PodSpec, { metadata: { name }, secrets = [], imagePullSecrets = [] }: Frozen<ServiceAccount>, debugContainersOnly: boolean): string | undefined {
  const listed = new Set(secrets.map((secret) => secret.name));
  const missing = `is not allowed because service account ${name} does not reference that`;
  const inContainers = (containers: readonly Container[] = [], kind: string): string | undefined => {
    for (const container of containers) {
      const found = secretsOf(container).find(({ secret }) => !listed.has(secret));
      if (found) return `${kind} ${container.name} with ${found.how} referencing secret.secretName="${found.secret}" ${missing} secret`;
    }
    return undefined;
  };
  if (debugContainersOnly) return inContainers(spec.ephemeralContainers as Container[] | undefined, "ephemeral container");
  const volume = spec.volumes?.find(({ secret }) => secret && !listed.has(secret.secretName));
  if (volume) return `volume with secret.secretName="${volume.secret!.secretName}" ${missing} secret`;
  const inContainer = inContainers(spec.initContainers, "init container") ?? inContainers(spec.containers, "container");
  if (inContainer) return inContainer;
  const pulls = new Set(imagePullSecrets.map((secret) => secret.name));
  const index = (spec.imagePullSecrets ?? []).findIndex((secret) => !pulls.has(secret.name));
  return index < 0 ? undefined : `imagePullSecrets[${index}].name="${spec.imagePullSecrets![index]!.name}" ${missing} imagePullSecret`;
}

function secretsOf({ env = [], envFrom = [] }: Container): { how: string; secret: string }[] {
  return [
    ...env.flatMap(({ name, valueFrom }) => (valueFrom?.secretKeyRef ? [{ how: `envVar ${name}`, secret: valueFrom.secretKeyRef.name ?? "" }] : [])),
    ...envFrom.flatMap(({ secretRef }) => (secretRef ? [{ how: "envFrom", secret: secretRef.name ?? "" }] : [])),
  ];
}
