import type { Status } from "../apis/generated/meta/v1.ts";
import { render, type FieldError } from "./field-errors.ts";

/** The error of everything above storage; `status` is what HTTP answers. Source: k8s.io/apimachinery/pkg/api/errors. */
export class StatusError extends Error {
  override readonly name = "StatusError";
  constructor(readonly status: Status & { code: number; reason?: string; message: string }, options?: ErrorOptions) {
    super(status.message, options);
  }
  get code(): number {
    return this.status.code;
  }
  get reason(): string {
    return this.status.reason ?? "";
  }
}

/** What a Status names: the resource (plural) and its group. */
export interface Resource {
  group: string;
  resource: string;
}

const qualified = ({ group, resource }: Resource): string => (group ? `${resource}.${group}` : resource);

function failure(code: number, reason: string, message: string, details?: Status["details"]): StatusError {
  return new StatusError({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, ...(details ? { details } : {}), code });
}
const about = (of: Resource, name: string): NonNullable<Status["details"]> => ({ ...(name ? { name } : {}), ...(of.group ? { group: of.group } : {}), kind: of.resource });

export const notFound = (of: Resource, name: string): StatusError => failure(404, "NotFound", `${qualified(of)} ${JSON.stringify(name)} not found`, about(of, name));
export const alreadyExists = (of: Resource, name: string): StatusError => failure(409, "AlreadyExists", `${qualified(of)} ${JSON.stringify(name)} already exists`, about(of, name));
export const conflict = (of: Resource, name: string, detail: string): StatusError => failure(409, "Conflict", `Operation cannot be fulfilled on ${qualified(of)} ${JSON.stringify(name)}: ${detail}`, about(of, name));
export const modified = "the object has been modified; please apply your changes to the latest version and try again";
export const forbidden = (of: Resource, name: string, detail: string): StatusError => failure(403, "Forbidden", of.resource ? `${qualified(of)}${name ? ` ${JSON.stringify(name)}` : ""} is forbidden: ${detail}` : `forbidden: ${detail}`, about(of, name));
export const unauthorized = (message = "Unauthorized"): StatusError => failure(401, "Unauthorized", message);
export const badRequest = (message: string): StatusError => failure(400, "BadRequest", message);
export const methodNotAllowed = (): StatusError => failure(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {});
export const notAcceptable = (message: string): StatusError => failure(406, "NotAcceptable", message);
export const unsupportedMediaType = (message: string): StatusError => failure(415, "UnsupportedMediaType", message);
export const requestEntityTooLarge = (message: string): StatusError => failure(413, "RequestEntityTooLarge", message);
export const expired = (message: string, continueToken?: string): StatusError => {
  const error = failure(410, "Expired", message);
  if (continueToken) error.status.metadata = { continue: continueToken };
  return error;
};
export const internalError = (cause: unknown): StatusError => {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new StatusError(failure(500, "InternalError", `Internal error occurred: ${message}`, { causes: [{ message }] }).status, { cause });
};
export const serviceUnavailable = (message: string): StatusError => failure(503, "ServiceUnavailable", message);
export const insufficientStorage = (message: string): StatusError => failure(507, "InsufficientStorage", `the server can't store more: ${message}`);
export const timeout = (message: string, retryAfterSeconds = 0): StatusError => failure(504, "Timeout", message, retryAfterSeconds ? { retryAfterSeconds } : undefined);
export const tooManyRequests = (message: string, retryAfterSeconds: number): StatusError => failure(429, "TooManyRequests", message, { retryAfterSeconds });
/** 404 for a path that no handler serves. */
export const noSuchPath = (): StatusError => failure(404, "NotFound", "the server could not find the requested resource", {});

/** 422 with one cause per field error. `kind` is the Kind, as Kubernetes puts it in the message. */
export function invalid(card: { group: string; kind: string; invalidAs?: { group: string; kind: string } }, name: string, errors: readonly FieldError[]): StatusError {
  const of = card.invalidAs ?? card;
  const listed = [...new Set(errors.map(render))];
  const text = listed.length === 1 ? listed[0]! : `[${listed.join(", ")}]`;
  const kind = of.group ? `${of.kind}.${of.group}` : of.kind;
  return failure(422, "Invalid", `${kind} ${JSON.stringify(name)} is invalid: ${text}`, {
    ...(name ? { name } : {}), ...(of.group ? { group: of.group } : {}), ...(of.kind ? { kind: of.kind } : {}),
    causes: errors.map((e) => ({ reason: e.reason, message: e.message, field: e.field })),
  });
}

export const isNotFound = (error: unknown): boolean => error instanceof StatusError && error.code === 404;
export const isConflict = (error: unknown): boolean => error instanceof StatusError && error.reason === "Conflict";
export const isAlreadyExists = (error: unknown): boolean => error instanceof StatusError && error.reason === "AlreadyExists";
export const isInsufficientStorage = (error: unknown): boolean => error instanceof StatusError && error.reason === "InsufficientStorage";
/** Whether a create was refused because its namespace is going away: nothing to try again, the namespace controller removes the rest. */
export const isNamespaceTerminating = (error: unknown): boolean => error instanceof StatusError && (error.status.details?.causes ?? []).some((cause) => cause.reason === "NamespaceTerminating");
