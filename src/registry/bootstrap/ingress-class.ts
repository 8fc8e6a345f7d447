import { isAlreadyExists } from "../../apimachinery/status.ts";
import { ingressclasses } from "../../apis/networking/ingressclass.ts";
import type { Client } from "../../client/client.ts";

/**
 * Makes the class `skiff`, the default, whose Ingresses the server serves itself. One that is there already is left as it is, so that users
 * may take the mark of the default from it. One that users deleted comes back at the next start.
 */
export async function ensureIngressClass(client: Client, controller: string): Promise<void> {
  try {
    await client.create(ingressclasses, {
      apiVersion: "networking.k8s.io/v1", kind: "IngressClass", metadata: { name: "skiff", annotations: { "ingressclass.kubernetes.io/is-default-class": "true" } }, spec: { controller },
    });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}
