import type { DeclType } from "../cel.ts";
import { createEnvironment, type Environment, type StructDecl, type StructTypes } from "../environment.ts";
import { authorizerType, jsonPatches, resourceCheckType } from "../library/authorizer.ts";
import { declared } from "../schema/decl-type.ts";
import { dynType, opaqueType, stringType, structType, type CelType } from "../type.ts";

/**
 * The variables of expressions in admission: of policies and of match conditions.
 * Source: k8s.io/apiserver/pkg/admission/plugin/cel/compile.go.
 */
export interface AdmissionDeclarations {
  params: boolean;
  authorizer: boolean;
  /** `Object{…}` and `JSONPatch{…}`, for expressions that make changes. */
  patchTypes?: boolean;
  /** The policy's own variables with their types; absent where there is no `variables`. */
  variables?: ReadonlyMap<string, CelType>;
  /** Where the kind is known, as in type checking: what `object` and `oldObject`, and `params`, are. */
  object?: DeclType;
  paramsObject?: DeclType;
}

const { string, int, bool, dyn, timestamp, list, map, object } = declared;

const groupVersionKind = object("kubernetes.GroupVersionKind", { group: string, version: string, kind: string });
const groupVersionResource = object("kubernetes.GroupVersionResource", { group: string, version: string, resource: string });
export const requestType = object("kubernetes.AdmissionRequest", {
  kind: groupVersionKind, resource: groupVersionResource, subResource: string, requestKind: groupVersionKind, requestResource: groupVersionResource, requestSubResource: string,
  name: string, namespace: string, operation: string,
  userInfo: object("kubernetes.UserInfo", { username: string, uid: string, groups: list(string), extra: map(list(string)) }),
  dryRun: bool, options: dyn,
});

/** Only these fields of a namespace can be seen. */
export const namespaceType = object("kubernetes.Namespace", {
  metadata: object("kubernetes.NamespaceMetadata", {
    name: string, generateName: string, namespace: string, labels: map(string), annotations: map(string), UID: string, creationTimestamp: timestamp,
    deletionGracePeriodSeconds: int, deletionTimestamp: timestamp, generation: int, resourceVersion: string, finalizers: list(string),
  }),
  spec: object("kubernetes.NamespaceSpec", { finalizers: list(string) }),
  status: object("kubernetes.NamespaceStatus", {
    conditions: list(object("kubernetes.NamespaceCondition", { status: string, type: string, lastTransitionTime: timestamp, message: string, reason: string })), phase: string,
  }),
});

const variablesType = structType("kubernetes.variables");
const jsonPatchFields = new Map<string, CelType>([["op", stringType], ["path", stringType], ["from", stringType], ["value", dynType]]);
export const applyConfigurationType = structType("Object");
export const jsonPatchType = structType("JSONPatch");

/** `Object.spec.template` is whatever is there: fields are of any type until the object is merged. */
function patchStruct(name: string): StructDecl | undefined {
  // Of other fields Kubernetes says that their type is '', which nothing fits.
  if (name === "JSONPatch") return { type: jsonPatchType, field: (field) => jsonPatchFields.get(field) ?? opaqueType("") };
  if (name !== "Object" && !name.startsWith("Object.")) return undefined;
  return { type: structType(name), field: () => dynType };
}

export function admissionEnvironment({ params, authorizer, patchTypes = false, variables, object: objectType, paramsObject }: AdmissionDeclarations): Environment {
  const structs: StructTypes = {
    find(name) {
      if (name === variablesType.name && variables) return { type: variablesType, field: (field) => variables.get(field) };
      return patchTypes ? patchStruct(name) : undefined;
    },
  };
  return createEnvironment({
    variables: {
      object: objectType ?? dynType, oldObject: objectType ?? dynType, request: requestType, namespaceObject: namespaceType,
      ...(params ? { params: paramsObject ?? dynType } : {}),
      ...(authorizer ? { authorizer: authorizerType, "authorizer.requestResource": resourceCheckType } : {}),
      ...(variables ? { variables: variablesType } : {}),
    },
    structs, libraries: patchTypes ? [jsonPatches] : [],
  });
}
