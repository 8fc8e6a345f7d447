import { isAlreadyExists, isNamespaceTerminating } from "../../apimachinery/status.ts";
import { namespaces, serviceaccounts } from "../../apis/builtins.ts";
import { defineController, watchOf } from "../../client/controller.ts";

/** Every namespace has a service account called default, also when somebody deletes it. */
export const serviceaccount = defineController({
  name: "service-account-controller", for: namespaces, writes: [serviceaccounts],
  watches: [watchOf(serviceaccounts, (current, old) => (current ? [] : [old!.metadata.namespace!]))],
  async reconcile(namespace, { client, lister }) {
    const object = lister(namespaces).get(namespace);
    if (!object || object.metadata.deletionTimestamp || lister(serviceaccounts).get(`${namespace}/default`)) return;
    try {
      await client.create(serviceaccounts, { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default", namespace } });
    } catch (error) {
      if (!isAlreadyExists(error) && !isNamespaceTerminating(error)) throw error;
    }
  },
});
