import { invalidValue, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { badRequest, conflict, invalid, methodNotAllowed, notFound } from "../../apimachinery/status.ts";
import { formatTime } from "../../apimachinery/time.ts";
import type { BoundObjectReference, TokenRequest } from "../../apis/generated/authentication/v1.ts";
import type { Pod, ServiceAccount } from "../../apis/generated/core/v1.ts";
import { storageKey } from "../store.ts";
import type { TokenIssuer } from "../token-issuer.ts";
import type { SubresourceCall } from "./creator.ts";

const tokenRequest = { group: "authentication.k8s.io", kind: "TokenRequest" };
const defaultExpirationSeconds = 3600;
const boundKinds: Readonly<Record<string, { group: string; resource: string; namespaced: boolean }>> = {
  Pod: { group: "", resource: "pods", namespaced: true },
  Secret: { group: "", resource: "secrets", namespaced: true },
  Node: { group: "", resource: "nodes", namespaced: false },
};

/** POST serviceaccounts/token. Source: kubernetes pkg/registry/core/serviceaccount/storage/token.go. */
export async function createToken({ machinery, card, key, body, tokenIssuer }: SubresourceCall): Promise<TokenRequest> {
  if (!tokenIssuer) throw methodNotAllowed();
  const request = body as TokenRequest;
  const named = request.metadata?.name;
  if (named && named !== key.name) throw invalid(tokenRequest, key.name, [invalidValue("metadata.name", named, "must match the service account name if specified")]);
  const serviceAccount = (await machinery.store.mustGet<ServiceAccount>(card, key)).object;
  const { uid } = serviceAccount.metadata;
  if (request.metadata?.uid && request.metadata.uid !== uid) throw conflict({ group: tokenRequest.group, resource: tokenRequest.kind }, key.name, `the UID in the token request (${request.metadata.uid}) does not match the UID of the service account (${uid})`);
  const audiences = request.spec?.audiences?.length ? request.spec.audiences : tokenIssuer.audiences;
  const expirationSeconds = request.spec?.expirationSeconds ?? defaultExpirationSeconds;
  const errors = validateExpiration(expirationSeconds);
  if (errors.length) throw invalid(tokenRequest, "", errors);
  const ref = request.spec?.boundObjectRef;
  const bound = ref && findBound(machinery.store.cacher.get.bind(machinery.store.cacher), ref, key.namespace!, key.name);
  const status = await tokenIssuer.issue({ serviceAccount, audiences, expirationSeconds, bound });
  return {
    kind: "TokenRequest", apiVersion: "authentication.k8s.io/v1",
    metadata: { name: key.name, namespace: key.namespace, uid, creationTimestamp: formatTime(machinery.clock.now()) },
    spec: { audiences: [...audiences], expirationSeconds, ...(ref ? { boundObjectRef: ref } : {}) },
    status,
  };
}

function validateExpiration(seconds: number): FieldError[] {
  if (seconds < 600) return [invalidValue("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")];
  if (seconds > 2 ** 32) return [invalidValue("spec.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")];
  return [];
}

type Bound = NonNullable<Parameters<TokenIssuer["issue"]>[0]["bound"]>;

function findBound(get: (key: string) => { object: Frozen<KubeObject> } | undefined, ref: BoundObjectReference, namespace: string, account: string): Bound {
  const kind = boundKinds[ref.kind ?? ""];
  if (!kind || (ref.apiVersion ?? "v1") !== "v1") throw badRequest(`cannot bind token to object of type ${ref.apiVersion?.includes("/") ? "" : "/"}${ref.apiVersion ?? ""}, Kind=${ref.kind ?? ""}`);
  const object = get(storageKey(kind, { namespace: kind.namespaced ? namespace : undefined, name: ref.name ?? "" }))?.object;
  if (!object) throw notFound(kind, ref.name ?? "");
  if (ref.uid && ref.uid !== object.metadata.uid) throw conflict({ group: "", resource: ref.kind! }, ref.name!, `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`);
  if (ref.kind === "Pod" && (object as Frozen<Pod>).spec.serviceAccountName !== account) {
    throw badRequest(`cannot bind token for serviceaccount ${JSON.stringify(account)} to pod running with different serviceaccount name.`);
  }
  return { kind: ref.kind as Bound["kind"], name: ref.name!, uid: object.metadata.uid! };
}
