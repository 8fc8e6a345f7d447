import { keyOf, type Frozen } from "../../apimachinery/meta.ts";
import { secrets } from "../../apis/core/secret.ts";
import type { Secret } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf } from "../../client/controller.ts";

/** Deletes bootstrap tokens that have ended. Source: kubernetes pkg/controller/bootstrap/tokencleaner.go. */
export const tokenCleaner = defineController({
  name: "token-cleaner",
  watches: [watchOf(secrets, (current) => (current && endOf(current) !== undefined ? [keyOf(current)] : []))],
  writes: [{ apiGroups: [""], resources: ["secrets"], verbs: ["delete"] }],
  async reconcile(key, { client, lister, now }) {
    const secret = lister(secrets).get(key);
    const end = secret && endOf(secret);
    if (!secret || end === undefined) return;
    if (end > now()) return { requeueAt: end };
    await client.delete(secrets, { namespace: "kube-system", name: secret.metadata.name! }, { preconditions: { uid: secret.metadata.uid } });
  },
});

/** When a bootstrap token ends, in milliseconds since the epoch; undefined for other Secrets and tokens without an end. */
export function endOf({ metadata, type, data }: Frozen<Secret>): number | undefined {
  if (type !== "bootstrap.kubernetes.io/token" || metadata.namespace !== "kube-system" || !data?.["expiration"]) return undefined;
  // What can't be read has ended, as in Kubernetes.
  return Date.parse(Buffer.from(data["expiration"], "base64").toString()) || 0;
}
