import type { Condition, KubeObject } from "../../apimachinery/meta.ts";
import type { CustomResourceDefinition } from "../../apis/generated/apiextensions/v1.ts";

export const addonGroup = "addons.skiff.io";
export const addonNamespace = "kube-system";

/** What a file of the manifests directory has come to. Kept in kube-system, named after the file. */
export interface AddOn extends KubeObject {
  spec: {
    /** The file, relative to the manifests directory. */
    source: string;
    /** SHA-256 of the file, in hexadecimal: what was tried last. */
    checksum: string;
  };
  status?: {
    /** Whatever of this file is, or may be, in the cluster: written down before it is applied. */
    objects?: ObjectRecord[];
    conditions?: Condition[];
  };
}

export interface ObjectRecord {
  group?: string;
  version: string;
  kind: string;
  namespace?: string;
  name: string;
  /** Known once it has been applied. */
  uid?: string;
}

const object = (properties: Record<string, unknown>, required: string[] = []): Record<string, unknown> => ({ type: "object", properties, ...(required.length ? { required } : {}) });
const string = { type: "string" };

/** The kind, as a custom resource. */
export const addonDefinition = {
  apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition",
  metadata: { name: `addons.${addonGroup}` },
  spec: {
    group: addonGroup, scope: "Namespaced",
    names: { kind: "AddOn", listKind: "AddOnList", plural: "addons", singular: "addon" },
    versions: [{
      name: "v1", served: true, storage: true, subresources: { status: {} },
      additionalPrinterColumns: [
        { name: "Source", type: "string", jsonPath: ".spec.source" },
        { name: "Applied", type: "string", jsonPath: '.status.conditions[?(@.type=="Applied")].status' },
        { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
        { name: "Message", type: "string", jsonPath: '.status.conditions[?(@.type=="Applied")].message', priority: 1 },
      ],
      schema: {
        openAPIV3Schema: {
          ...object({
            spec: object({ source: { ...string, description: "The file, relative to the manifests directory." }, checksum: { ...string, description: "SHA-256 of the file that was applied last." } }),
            status: object({
              objects: { type: "array", description: "What of the file is, or may be, in the cluster.", items: object({ group: string, version: string, kind: string, namespace: string, name: string, uid: string }, ["version", "kind", "name"]) },
              conditions: {
                type: "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
                items: object({ type: string, status: string, reason: string, message: string, lastTransitionTime: { ...string, format: "date-time" }, observedGeneration: { type: "integer", format: "int64" } }, ["type", "status"]),
              },
            }),
          }),
          description: "AddOn tells what a file of the server's manifests directory has come to.",
        },
      },
    }],
  },
} as unknown as CustomResourceDefinition;
