import { thaw } from "../../apimachinery/meta.ts";
import { isNamespaceTerminating, isNotFound } from "../../apimachinery/status.ts";
import { configmaps, namespaces } from "../../apis/builtins.ts";
import type { ConfigMap } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf, type Controller } from "../../client/controller.ts";

const name = "kube-root-ca.crt";
const description = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

/** Every namespace has the ConfigMap by which pods trust the API server. `ca` is the PEM bundle. */
export function rootCaPublisher({ ca }: { ca: string }): Controller {
  return defineController({
    name: "root-ca-cert-publisher", for: namespaces, writes: [configmaps],
    watches: [watchOf(configmaps, (current, old) => ((current ?? old!).metadata.name === name ? [(current ?? old!).metadata.namespace!] : []))],
    async reconcile(namespace, { client, lister }) {
      const object = lister(namespaces).get(namespace);
      if (!object || object.metadata.deletionTimestamp) return;
      const existing = lister(configmaps).get(`${namespace}/${name}`);
      const data = { "ca.crt": ca };
      if (!existing) {
        await client.create(configmaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace, annotations: { "kubernetes.io/description": description } }, data }).catch((error: unknown) => {
          if (!isNotFound(error) && !isNamespaceTerminating(error)) throw error;
        });
      } else if (!Bun.deepEquals(existing.data, data) || !existing.metadata.annotations?.["kubernetes.io/description"]) {
        const copy = thaw<ConfigMap>(existing);
        await client.update(configmaps, { ...copy, metadata: { ...copy.metadata, annotations: { ...copy.metadata.annotations, "kubernetes.io/description": description } }, data });
      }
    },
  });
}
