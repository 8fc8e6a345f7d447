import type { Status } from "../../apis/generated/meta/v1.ts";
import type { UserInfo } from "../../registry/attributes.ts";
import type { RequestInfo } from "../request-info.ts";
import type { Level, Stage } from "./policy.ts";

interface ObjectReference {
  resource?: string;
  namespace?: string;
  name?: string;
  uid?: string;
  apiGroup?: string;
  apiVersion?: string;
  resourceVersion?: string;
  subresource?: string;
}

interface EventUser {
  username: string;
  uid?: string;
  groups?: readonly string[];
  extra?: Readonly<Record<string, readonly string[]>>;
}

/** audit.k8s.io/v1 Event. */
export interface AuditEvent {
  kind: "Event";
  apiVersion: "audit.k8s.io/v1";
  level: Level;
  auditID: string;
  stage: Stage;
  requestURI: string;
  verb: string;
  user: EventUser;
  impersonatedUser?: EventUser;
  authenticationMetadata?: { impersonationConstraint: string };
  sourceIPs: string[];
  userAgent?: string;
  objectRef?: ObjectReference;
  responseStatus?: Partial<Status> & { metadata: object };
  requestObject?: unknown;
  responseObject?: unknown;
  requestReceivedTimestamp: string;
  stageTimestamp: string;
  annotations?: Record<string, string>;
}

export const eventUser = ({ name, uid, groups, extra }: UserInfo): EventUser => ({ username: name, ...(uid ? { uid } : {}), ...(groups.length ? { groups } : {}), ...(extra ? { extra } : {}) });

export function objectReference({ isResource, resource, namespace, name, group, version, subresource }: RequestInfo): ObjectReference | undefined {
  if (!isResource) return undefined;
  return {
    resource, ...(namespace ? { namespace } : {}), ...(name ? { name } : {}), ...(group ? { apiGroup: group } : {}), apiVersion: version, ...(subresource ? { subresource } : {}),
  };
}

/** RFC 3339 with microseconds, as metav1.MicroTime. */
export const microTime = (ms: number): string => new Date(ms).toISOString().replace("Z", "000Z");

/** A deep copy of an object, or a list of them, as it is now; without managedFields where nobody wants them. */
export function recorded(value: unknown, omitManagedFields: boolean): unknown {
  return JSON.parse(JSON.stringify(value), omitManagedFields ? (key, member) => (key === "managedFields" ? undefined : member) : undefined);
}
