import type { Frozen, KubeObject } from "../../../apimachinery/meta.ts";
import { apiVersionOf, type AnyResource } from "../../../apimachinery/resource.ts";
import type { Namespace } from "../../../apis/generated/core/v1.ts";
import { namespaceType, requestType } from "../../../cel/admission/environment.ts";
import type { Variables } from "../../../cel/cel.ts";
import { authorizerValue, requestResourceValue, type Answer, type AuthorizationChecks } from "../../../cel/library/authorizer.ts";
import { valueOf } from "../../../cel/values/json.ts";
import type { Value } from "../../../cel/values/value.ts";
import type { Authorizer, Decision, UserInfo } from "../../attributes.ts";
import type { AdmissionAttributes } from "../admission.ts";
import { admissionReview, type ReviewedObjects } from "../webhook/review.ts";

/** What expressions are told of a write. `card`: the version in which they see its objects. */
export interface RequestView {
  attributes: AdmissionAttributes;
  card: AnyResource;
  objects: ReviewedObjects;
  namespace: Frozen<Namespace> | undefined;
  authorizer: Authorizer;
}

/** Everything is made when an expression first asks for it. */
export function requestVariables({ attributes, card, objects, namespace, authorizer }: RequestView, params?: { object: Frozen<KubeObject> | undefined }): Variables {
  const { context: { user }, subresource, namespace: namespaceName, name } = attributes;
  const checks = checksFor(authorizer, user);
  return {
    object: () => objectValue(card, attributes, objects.object),
    oldObject: () => objectValue(card, attributes, objects.oldObject),
    request: () => valueOf(requestOf(attributes, card), requestType),
    namespaceObject: () => (namespace ? valueOf({ ...namespace, metadata: { ...namespace.metadata, UID: namespace.metadata.uid } }, namespaceType) : null),
    ...(params ? { params: () => valueOf(params.object ?? null) } : {}),
    authorizer: () => authorizerValue(checks),
    "authorizer.requestResource": () => requestResourceValue(checks, { group: card.group, resource: card.resource, subresource, namespace: namespaceName, name }),
  };
}

/** Stored objects don't say what they are; expressions expect them to. */
function objectValue(card: AnyResource, { card: own }: AdmissionAttributes, object: Frozen<KubeObject> | undefined): Value {
  if (!object) return null;
  const isOwn = object.kind === undefined || object.kind === own.kind;
  return valueOf(isOwn ? { ...object, apiVersion: apiVersionOf(card), kind: card.kind } : object);
}

/** As an AdmissionReview has it, without the objects. */
function requestOf(attributes: AdmissionAttributes, card: AnyResource): Record<string, unknown> {
  const { uid: _uid, object: _object, oldObject: _oldObject, ...request } = admissionReview(attributes, card, {}, "v1").review.request!;
  return { ...request, options: request.options ?? undefined };
}

function checksFor(authorizer: Authorizer, user: UserInfo): AuthorizationChecks {
  const answer = (decide: () => Decision): Answer => {
    try {
      return decide();
    } catch (error) {
      return { allowed: false, reason: "", error: (error as Error).message };
    }
  };
  return {
    checkResource: ({ fieldSelector, labelSelector: _unused, ...question }) => answer(() => authorizer.authorize({ ...question, user, version: "*", ...(fieldSelector ? { fieldSelector } : {}) })),
    checkPath: (path, verb) => answer(() => authorizer.authorizePath({ user, path, verb })),
    forServiceAccount: (namespace, name) => checksFor(authorizer, {
      name: `system:serviceaccount:${namespace}:${name}`, groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"],
    }),
  };
}
