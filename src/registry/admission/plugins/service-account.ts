import type { Frozen } from "../../../apimachinery/meta.ts";
import type { Container, Pod, PodSpec, ServiceAccount, Volume } from "../../../apis/generated/core/v1.ts";
import type { Clock } from "../../../base/clock.ts";
import type { Listers } from "../../listers.ts";
import { defineAdmission, type Admission } from "../admission.ts";
import { refuse } from "../refuse.ts";
import { mirrorProblem, secretProblem } from "./service-account-secrets.ts";

const tokenDirectory = "/var/run/secrets/kubernetes.io/serviceaccount";
const volumePrefix = "kube-api-access-";
const mirrorAnnotation = "kubernetes.io/config.mirror";

/** The default account of a new namespace is made by a controller: a pod right behind the namespace waits for it a little, as in Kubernetes. */
const waits = 10;
const waitMs = 150;

/**
 * Gives each pod a service account and mounts its token, unless pod or account say not to.
 * `randomSuffix` makes the five characters that end the volume's name.
 */
export function serviceAccount({ listers, randomSuffix, clock }: { listers: Listers; randomSuffix: () => string; clock: Clock }): Admission {
  const accounts = listers<ServiceAccount>("", "serviceaccounts");

  async function find(key: string, patient: boolean, signal?: AbortSignal): Promise<Frozen<ServiceAccount> | undefined> {
    for (let wait = 0; ; wait++) {
      const account = accounts.get(key);
      if (account || !patient || wait === waits) return account;
      await clock.sleep(waitMs, signal);
    }
  }

  return defineAdmission({
    name: "ServiceAccount",
    operations: ["CREATE", "UPDATE"],
    resources: ["pods", "pods/ephemeralcontainers"],
    async admit(attributes) {
      const { context: { signal }, object, namespace } = attributes;
      const pod = object as Pod;
      if (attributes.operation !== "CREATE" || !pod.spec || isMirror(pod)) return;
      const accountName = (pod.spec.serviceAccountName ||= pod.spec.serviceAccount || "default");
      pod.spec.serviceAccount = accountName;
      const account = await find(`${namespace}/${accountName}`, accountName === "default", signal);
      if (!account) {
        throw refuse(attributes, `error looking up service account ${namespace}/${accountName}: serviceaccount ${JSON.stringify(accountName)} not found`);
      }
      if (shouldAutomount(pod.spec, account)) mountToken(pod.spec, volumePrefix + randomSuffix());
      if (!pod.spec.imagePullSecrets?.length && account.imagePullSecrets?.length) {
        pod.spec.imagePullSecrets = account.imagePullSecrets.map(({ name: secret }) => ({ name: secret }));
      }
    },
    validate(attributes) {
      const { operation, subresource, namespace } = attributes;
      const pod = attributes.object as Pod;
      const refusal = subresource === "" && isMirror(pod) ? mirrorProblem(pod) : undefined;
      if (refusal) throw refuse(attributes, refusal);
      if (isMirror(pod) || (subresource === "") !== (operation === "CREATE")) return;
      const account = accounts.get(`${namespace}/${pod.spec.serviceAccountName}`);
      const problem = account?.metadata.annotations?.["kubernetes.io/enforce-mountable-secrets"] === "true" ? secretProblem(pod.spec, account, subresource !== "") : undefined;
      if (problem) throw refuse(attributes, problem);
    },
  });
}

const isMirror = (pod: Pod): boolean => pod.metadata.annotations?.[mirrorAnnotation] !== undefined;

const shouldAutomount = (spec: PodSpec, account: Frozen<ServiceAccount>): boolean => spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true;

function mountToken(spec: PodSpec, fallbackName: string): void {
  const existing = spec.volumes?.find(({ name }) => name.startsWith(volumePrefix));
  const volume = existing?.name ?? fallbackName;
  let needed = false;
  for (const container of [...(spec.initContainers ?? []), ...spec.containers ?? []]) needed = mountInto(container, volume) || needed;
  if (needed && !existing) (spec.volumes ??= []).push(tokenVolume(volume));
}

function mountInto(container: Container, volume: string): boolean {
  if (container.volumeMounts?.some(({ mountPath }) => mountPath === tokenDirectory)) return false;
  (container.volumeMounts ??= []).push({ name: volume, readOnly: true, mountPath: tokenDirectory });
  return true;
}

/** 3607 seconds tell tokens mounted by admission from those that a user asked an hour for. */
const tokenVolume = (name: string): Volume => ({
  name,
  projected: {
    sources: [
      { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
      { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
      { downwardAPI: { items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }] } },
    ],
    defaultMode: 0o644,
  },
});
