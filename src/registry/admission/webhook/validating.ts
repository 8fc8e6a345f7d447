import type { Frozen } from "../../../apimachinery/meta.ts";
import type { ValidatingWebhook, ValidatingWebhookConfiguration } from "../../../apis/generated/admissionregistration/v1.ts";
import type { Listers } from "../../listers.ts";
import { defineAdmission, type Admission, type AdmissionAttributes } from "../admission.ts";
import { objectsAs } from "./versions.ts";
import { asStatus, inOrder, invocationOf, isExempt, webhookRunner, type Invocation, type WebhookDependencies } from "./webhook.ts";

/**
 * Lets webhooks refuse writes. All that a write concerns are asked at the same time; the first refusal is the answer.
 * Source: k8s.io/apiserver/pkg/admission/plugin/webhook/validating/dispatcher.go.
 */
export function validatingAdmissionWebhook(dependencies: WebhookDependencies & { listers: Listers }): Admission {
  const configurations = dependencies.listers<ValidatingWebhookConfiguration>("admissionregistration.k8s.io", "validatingwebhookconfigurations");
  const runner = webhookRunner("validating", dependencies);

  async function concerned(attributes: AdmissionAttributes, all: readonly Frozen<ValidatingWebhookConfiguration>[]): Promise<Invocation<Frozen<ValidatingWebhook>>[]> {
    const found: Invocation<Frozen<ValidatingWebhook>>[] = [];
    for (const { metadata: { name: configuration = "" }, webhooks = [] } of inOrder(all)) {
      for (const webhook of webhooks) {
        const card = await invocationOf(webhook, attributes, dependencies);
        if (card) found.push({ webhook, configuration, index: found.length, card });
      }
    }
    return found;
  }

  return defineAdmission({
    name: "ValidatingAdmissionWebhook",
    operations: ["CREATE", "UPDATE", "DELETE", "CONNECT"],
    resources: ["*"],
    async validate(attributes) {
      const all = configurations.list();
      if (all.length === 0 || isExempt(attributes)) return;
      const refusals: unknown[] = [];
      await Promise.all((await concerned(attributes, all)).map(async (invocation) => {
        try {
          await runner.ask(invocation, attributes, await objectsAs(attributes, invocation.card));
        } catch (error) {
          refusals.push(error);
        }
      }));
      if (refusals.length > 0) throw asStatus(refusals[0]);
    },
  });
}
