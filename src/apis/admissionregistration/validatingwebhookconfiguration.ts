import { semanticEqual } from "../../apimachinery/equality.ts";
import { defineResource } from "../../apimachinery/resource.ts";
import type { ValidatingWebhookConfiguration } from "../generated/admissionregistration/v1.ts";
import { defaultWebhooks, validateWebhooks, webhookColumns } from "./webhooks.ts";
export type { ValidatingWebhookConfiguration } from "../generated/admissionregistration/v1.ts";

export const validatingwebhookconfigurations = defineResource<ValidatingWebhookConfiguration>({
  group: "admissionregistration.k8s.io", version: "v1", kind: "ValidatingWebhookConfiguration", resource: "validatingwebhookconfigurations", scope: "Cluster", categories: ["api-extensions"],
  schema: "io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration",
  default: defaultWebhooks,
  strategy: {
    prepareForCreate({ metadata }) {
      metadata.generation = 1;
    },
    validate: (configuration) => validateWebhooks(configuration),
    validateUpdate: validateWebhooks,
    generationChanged: (configuration, old) => !semanticEqual(configuration.webhooks, old.webhooks),
    allowUnconditionalUpdate: false,
  },
  columns: webhookColumns(),
  example: () => ({
    apiVersion: "admissionregistration.k8s.io/v1", kind: "ValidatingWebhookConfiguration", metadata: { name: "example" },
    webhooks: [{ name: "example.skiff.example.com", clientConfig: { url: "https://webhook.example.com" }, rules: [], sideEffects: "None", failurePolicy: "Ignore", admissionReviewVersions: ["v1"] }],
  }),
});
