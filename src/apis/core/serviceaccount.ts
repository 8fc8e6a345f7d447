import { defineResource } from "../../apimachinery/resource.ts";
import type { ServiceAccount } from "../generated/core/v1.ts";
export type { ServiceAccount } from "../generated/core/v1.ts";

const mountableSecrets = "kubernetes.io/enforce-mountable-secrets";

export const serviceaccounts = defineResource<ServiceAccount>({
  group: "", version: "v1", kind: "ServiceAccount", resource: "serviceaccounts", scope: "Namespaced", shortNames: ["sa"],
  subresources: { others: ["token"] },
  schema: "io.k8s.api.core.v1.ServiceAccount",
  strategy: {
    prepareForCreate: cleanSecrets, prepareForUpdate: cleanSecrets,
    // Said when the annotation is new, and not again.
    warnings: ({ metadata }, old) => (metadata.annotations?.[mountableSecrets] !== undefined && old?.metadata.annotations?.[mountableSecrets] === undefined
      ? [`metadata.annotations[${mountableSecrets}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`] : []),
  },
  example: () => ({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "example", namespace: "default" } }),
});

/** Of the Secrets, which lie in the account's namespace, only the names count. */
function cleanSecrets(account: ServiceAccount): void {
  if (account.secrets) account.secrets = account.secrets.map(({ name }) => (name === undefined ? {} : { name }));
}
