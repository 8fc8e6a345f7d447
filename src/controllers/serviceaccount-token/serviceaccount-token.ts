import { keyOf, thaw, type Frozen } from "../../apimachinery/meta.ts";
import { secrets } from "../../apis/core/secret.ts";
import { serviceaccounts } from "../../apis/core/serviceaccount.ts";
import type { Secret, ServiceAccount } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf, type Controller } from "../../client/controller.ts";

const nameAnnotation = "kubernetes.io/service-account.name", uidAnnotation = "kubernetes.io/service-account.uid";

/** Signs a token without an end, for a Secret. */
export type IssueLegacyToken = (account: { namespace: string; name: string; uid: string; secretName: string }) => Promise<string>;

/**
 * Fills Secrets of type kubernetes.io/service-account-token with a token of the account they name, and deletes them with it.
 * Source: kubernetes pkg/controller/serviceaccount/tokens_controller.go.
 */
export function serviceAccountTokenController({ ca, issue }: { ca: string; issue: IssueLegacyToken }): Controller {
  const caData = Buffer.from(ca).toString("base64");
  return defineController({
    name: "token-controller", writes: [secrets],
    watches: [
      watchOf(secrets, (current) => (current && accountOf(current) !== undefined ? [keyOf(current)] : [])),
      watchOf(serviceaccounts, (current, old, { lister }) => {
        const { namespace, name, uid } = (current ?? old!).metadata;
        if (current && old?.metadata.uid === uid) return [];
        return lister(secrets).list(namespace).filter((secret) => accountOf(secret) === name).map(keyOf);
      }),
    ],
    async reconcile(key, { client, lister }) {
      const secret = lister(secrets).get(key);
      const name = secret && accountOf(secret);
      if (!secret || name === undefined || secret.metadata.deletionTimestamp) return;
      const { namespace = "" } = secret.metadata;
      const account = lister(serviceaccounts).get(`${namespace}/${name}`);
      const wanted = secret.metadata.annotations?.[uidAnnotation];
      if (!account || (wanted && wanted !== account.metadata.uid)) {
        await client.delete(secrets, { namespace, name: secret.metadata.name! }, { preconditions: { uid: secret.metadata.uid } });
      } else if (!isFilled(secret, account, caData)) {
        await client.update(secrets, await filled(secret, account, caData, issue));
      }
    },
  });
}

const accountOf = (secret: Frozen<Secret>): string | undefined => (secret.type === "kubernetes.io/service-account-token" ? secret.metadata.annotations?.[nameAnnotation] || undefined : undefined);

const isFilled = ({ data, metadata }: Frozen<Secret>, account: Frozen<ServiceAccount>, ca: string): boolean =>
  Boolean(data?.["token"] && data["namespace"]) && data!["ca.crt"] === ca && metadata.annotations?.[uidAnnotation] === account.metadata.uid;

async function filled(secret: Frozen<Secret>, { metadata: { name = "", uid = "" } }: Frozen<ServiceAccount>, ca: string, issue: IssueLegacyToken): Promise<Secret> {
  const copy = thaw<Secret>(secret);
  const { namespace = "", name: secretName = "" } = copy.metadata;
  const token = copy.data?.["token"] || Buffer.from(await issue({ namespace, name, uid, secretName })).toString("base64");
  copy.data = { ...copy.data, "ca.crt": ca, namespace: copy.data?.["namespace"] || Buffer.from(namespace).toString("base64"), token };
  copy.metadata.annotations = { ...copy.metadata.annotations, [uidAnnotation]: uid };
  return copy;
}
