import { randomUUID } from "node:crypto";
import { isObject } from "../../../apimachinery/own.ts";
import type { Frozen, KubeObject } from "../../../apimachinery/meta.ts";
import type { AnyResource } from "../../../apimachinery/resource.ts";
import { apiVersionOf } from "../../../apimachinery/resource.ts";
import { badRequest, StatusError } from "../../../apimachinery/status.ts";
import type { AdmissionRequest, AdmissionResponse, AdmissionReview } from "../../../apis/generated/admission/v1.ts";
import type { GroupVersionKind, GroupVersionResource } from "../../../apis/generated/meta/v1.ts";
import type { AdmissionAttributes } from "../admission.ts";

type ReviewVersion = "v1" | "v1beta1";

/** The objects of a write in the version that a webhook asked for. */
export interface ReviewedObjects {
  object?: KubeObject;
  oldObject?: Frozen<KubeObject>;
}

/** The first of a webhook's versions that we speak. */
export function reviewVersion(versions: readonly string[]): ReviewVersion {
  const known = versions.find((version) => version === "v1" || version === "v1beta1");
  if (!known) throw new Error("could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)");
  return known as ReviewVersion;
}

/** What a webhook is asked. `card`: the version in which it sees the objects. */
export function admissionReview(attributes: AdmissionAttributes, card: AnyResource, objects: ReviewedObjects, version: ReviewVersion): { uid: string; review: AdmissionReview } {
  const { context: { user }, subresource, name, namespace, operation, dryRun, options } = attributes;
  const uid = randomUUID();
  const request: AdmissionRequest = {
    uid,
    kind: kindOf(attributes, card), resource: resourceOf(card), ...(subresource ? { subResource: subresource } : {}),
    requestKind: kindOf(attributes, attributes.card), requestResource: resourceOf(attributes.card), ...(subresource ? { requestSubResource: subresource } : {}),
    ...(name ? { name } : {}), ...(namespace ? { namespace } : {}),
    operation,
    userInfo: {
      username: user.name, ...(user.uid ? { uid: user.uid } : {}), groups: [...user.groups],
      ...(user.extra ? { extra: Object.fromEntries(Object.entries(user.extra).map(([key, values]) => [key, [...values]])) } : {}),
    },
    object: shown(attributes, card, objects.object), oldObject: shown(attributes, card, objects.oldObject),
    dryRun, options: options as Record<string, unknown> | undefined,
  };
  // Kubernetes says null where there is none, and webhooks look for that.
  return { uid, review: { kind: "AdmissionReview", apiVersion: `admission.k8s.io/${version}`, request: { ...request, object: request.object ?? null, oldObject: request.oldObject ?? null, options: request.options ?? null } as AdmissionRequest } };
}

const resourceOf = ({ group, version, resource }: AnyResource): GroupVersionResource => ({ group, version, resource });

/** The body of a subresource may be of a kind of its own, such as a Binding. */
function kindOf({ card: own, object }: AdmissionAttributes, card: AnyResource): GroupVersionKind {
  if (object?.kind && object.kind !== own.kind) {
    const slash = object.apiVersion?.indexOf("/") ?? -1;
    return { group: slash < 0 ? "" : object.apiVersion!.slice(0, slash), version: object.apiVersion?.slice(slash + 1) ?? "", kind: object.kind };
  }
  return { group: card.group, version: card.version, kind: card.kind };
}

function shown({ card: own }: AdmissionAttributes, card: AnyResource, object: Frozen<KubeObject> | KubeObject | undefined): Record<string, unknown> | undefined {
  if (!object) return undefined;
  const { kind, apiVersion, ...rest } = object;
  if (kind && kind !== own.kind) return { kind, apiVersion, ...rest };
  return { kind: card.kind, apiVersion: apiVersionOf(card), ...rest };
}

/** Checks an answer as Kubernetes does; throws an Error with its words. Source: k8s.io/apiserver/pkg/admission/plugin/webhook/request VerifyAdmissionResponse. */
export function verifyResponse(answer: unknown, { uid, version, mutating }: { uid: string; version: ReviewVersion; mutating: boolean }): AdmissionResponse {
  const { response, kind, apiVersion } = (isObject(answer) ? answer : {}) as AdmissionReview;
  if (!isObject(response)) throw invalidResponse("webhook response was absent");
  if (version === "v1beta1") return response.patch ? { ...response, patchType: "JSONPatch" } : response;
  if (response.uid !== uid) throw invalidResponse(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? "")}`);
  if (kind !== "AdmissionReview" || apiVersion !== "admission.k8s.io/v1") throw invalidResponse(`expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ${apiVersion ?? ""}, Kind=${kind ?? ""}`);
  const { patch, patchType } = response;
  if (!mutating) {
    if (patch) throw invalidResponse("validating webhook may not return response.patch");
    if (patchType !== undefined && patchType !== null) throw invalidResponse("validating webhook may not return response.patchType");
  } else if (patch && !patchType) throw invalidResponse("webhook returned response.patch but not response.patchType");
  else if (!patch && patchType) throw invalidResponse("webhook returned response.patchType but not response.patch");
  return response;
}

const invalidResponse = (reason: string): Error => new Error(`received invalid webhook response: ${reason}`);

/** The refusal of a webhook as its client gets it. Source: k8s.io/apiserver/pkg/admission/plugin/webhook/errors ToStatusErr. */
export function denied(webhook: string, status: AdmissionResponse["status"]): StatusError {
  const by = `admission webhook ${JSON.stringify(webhook)} denied the request`;
  const message = status?.message ? `${by}: ${status.message}` : status?.reason ? `${by}: ${status.reason}` : `${by} without explanation`;
  const code = status?.code !== undefined && status.code >= 400 && status.code < 600 ? status.code : 400;
  return new StatusError({
    kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, code,
    ...(status?.reason ? { reason: status.reason } : {}), ...(status?.details ? { details: status.details } : {}),
  });
}

export const dryRunUnsupported = (webhook: string): StatusError => badRequest(`admission webhook ${JSON.stringify(webhook)} does not support dry run`);
