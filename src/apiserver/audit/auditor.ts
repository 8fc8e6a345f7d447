import type { Status } from "../../apis/generated/meta/v1.ts";
import type { UserInfo } from "../../registry/attributes.ts";
import type { Exchange } from "../exchange.ts";
import { eventUser, microTime, objectReference, recorded, type AuditEvent } from "./event.ts";
import { evaluate, includes, type AuditPolicy, type Level, type Stage } from "./policy.ts";

/** Where audit events go. */
export interface AuditBackend {
  /** Takes the event, for good or into a bounded queue; false when it is lost and the request must not go on. Must not throw. */
  record(event: AuditEvent): boolean;
  /** Resolves when what was taken has been written, or given up. */
  close(): Promise<void>;
}

/** What is recorded of one request. Handlers and admission add to it. */
export interface AuditRecord {
  annotate(key: string, value: string, level?: Level): void;
  requestObject(object: unknown): void;
  responseObject(object: unknown): void;
  /** `constraint`: the verb of constrained impersonation, where that was used. */
  impersonated(user: UserInfo, constraint?: string): void;
  /** Records a stage that the policy doesn't leave out; false when a backend says that the request must not go on. `status`: of the answer. */
  stage(stage: Stage, status?: Partial<Status> & { code: number }): boolean;
}

export interface Auditor {
  /** Undefined for a request that the policy records nothing of. */
  begin(exchange: Exchange, received: number): AuditRecord | undefined;
}

export function createAuditor({ policy, backends, now }: { policy: AuditPolicy; backends: readonly AuditBackend[]; now(): number }): Auditor {
  return {
    begin(exchange, received) {
      const { user, info, request } = exchange;
      const { level, omitStages, omitManagedFields } = evaluate(policy, user, info);
      if (level === "None") return undefined;
      const event: AuditEvent = {
        kind: "Event", apiVersion: "audit.k8s.io/v1", level, auditID: exchange.auditId, stage: "RequestReceived", requestURI: request.url, verb: info.verb, user: eventUser(user),
        sourceIPs: [request.remoteAddress], ...(request.headers["user-agent"] ? { userAgent: request.headers["user-agent"] } : {}), objectRef: objectReference(info),
        requestReceivedTimestamp: microTime(received), stageTimestamp: "",
      };
      return {
        annotate(key, value, from = "Metadata") {
          if (!includes(level, from)) return;
          event.annotations ??= {};
          event.annotations[key] ??= value;
        },
        requestObject(object) {
          completeReference(event, object);
          if (includes(level, "Request")) event.requestObject = recorded(object, omitManagedFields);
        },
        responseObject(object) {
          if (includes(level, "RequestResponse")) event.responseObject = recorded(object, omitManagedFields);
        },
        impersonated(other, constraint) {
          event.impersonatedUser = eventUser(other);
          if (constraint) event.authenticationMetadata = { impersonationConstraint: constraint };
        },
        stage(stage, status) {
          if (omitStages.has(stage)) return true;
          const responseStatus = status && { metadata: {}, ...status };
          const made = { ...event, stage, stageTimestamp: microTime(now()), ...(responseStatus ? { responseStatus } : {}), ...(event.annotations ? { annotations: { ...event.annotations } } : {}) };
          let stored = true;
          for (const backend of backends) stored = backend.record(made) && stored;
          return stored;
        },
      };
    },
  };
}

/** Names that the URL doesn't have, as of a created object, are in the object. */
function completeReference({ objectRef }: AuditEvent, object: unknown): void {
  const metadata = (object as { metadata?: { name?: string; namespace?: string; uid?: string; resourceVersion?: string } } | undefined)?.metadata;
  if (!objectRef || !metadata) return;
  for (const field of ["namespace", "name", "uid", "resourceVersion"] as const) if (!objectRef[field] && metadata[field]) objectRef[field] = metadata[field];
}
