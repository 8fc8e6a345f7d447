import { semanticEqual } from "../../apimachinery/equality.ts";
import { defineResource } from "../../apimachinery/resource.ts";
import type { MutatingWebhookConfiguration } from "../generated/admissionregistration/v1.ts";
import { defaultWebhooks, validateWebhooks, webhookColumns } from "./webhooks.ts";
export type { MutatingWebhookConfiguration } from "../generated/admissionregistration/v1.ts";

export const mutatingwebhookconfigurations = defineResource<MutatingWebhookConfiguration>({
  group: "admissionregistration.k8s.io", version: "v1", kind: "MutatingWebhookConfiguration", resource: "mutatingwebhookconfigurations", scope: "Cluster", categories: ["api-extensions"],
  schema: "io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration",
  default(configuration) {
    defaultWebhooks(configuration);
    for (const webhook of configuration.webhooks ?? []) webhook.reinvocationPolicy ??= "Never";
  },
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
    apiVersion: "admissionregistration.k8s.io/v1", kind: "MutatingWebhookConfiguration", metadata: { name: "example" },
    webhooks: [{ name: "example.skiff.example.com", clientConfig: { url: "https://webhook.example.com" }, rules: [], sideEffects: "None", failurePolicy: "Ignore", admissionReviewVersions: ["v1"] }],
  }),
});
