import type { Condition, KubeObject } from "../../apimachinery/meta.ts";

/** apiregistration.k8s.io/v1 APIService: who serves a group in a version. Without `service` it is this server. */
export interface ApiService extends KubeObject {
  spec: {
    group?: string;
    version?: string;
    service?: { namespace?: string; name?: string; port?: number };
    insecureSkipTLSVerify?: boolean;
    /** Base64 of PEM. */
    caBundle?: string;
    groupPriorityMinimum: number;
    versionPriority: number;
  };
  status?: { conditions?: ApiServiceCondition[] };
}

export type ApiServiceCondition = Pick<Condition, "type" | "status"> & Partial<Condition>;

export const apiServices = { group: "apiregistration.k8s.io", version: "v1", resource: "apiservices" } as const;

/** `v1.apps`; the core group's is `v1.`. */
export const apiServiceName = (group: string, version: string): string => `${version}.${group}`;

interface WithStatus {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

export const isAvailable = ({ status }: WithStatus): boolean => status?.conditions?.some(({ type, status: value }) => type === "Available" && value === "True") ?? false;
