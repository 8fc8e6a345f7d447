import { thaw } from "../../apimachinery/meta.ts";
import { configmaps } from "../../apis/core/configmap.ts";
import { secrets } from "../../apis/core/secret.ts";
import type { ConfigMap } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf } from "../../client/controller.ts";
import { bootstrapToken, signatures } from "./plan.ts";

const key = "kube-public/cluster-info";

/**
 * Signs kube-public/cluster-info with each bootstrap token that is for that: who has the token can believe what it says of the cluster.
 * Source: kubernetes pkg/controller/bootstrap/bootstrapsigner.go.
 */
export const bootstrapSigner = defineController({
  name: "bootstrap-signer",
  watches: [
    watchOf(configmaps, (current) => (current && `${current.metadata.namespace}/${current.metadata.name}` === key ? [key] : [])),
    watchOf(secrets, (current, old) => ((current && bootstrapToken(current)) || (old && bootstrapToken(old)) ? [key] : [])),
  ],
  writes: [{ apiGroups: [""], resources: ["configmaps"], resourceNames: ["cluster-info"], verbs: ["update"] }],
  async reconcile(_, { client, lister, now }) {
    const found = lister(configmaps).get(key);
    if (found?.data?.["kubeconfig"] === undefined) return;
    const data = signatures(found.data, lister(secrets).list("kube-system"), now());
    if (!Bun.deepEquals(data, found.data)) await client.update(configmaps, { ...thaw<ConfigMap>(found), data });
  },
});
