import { StatusError } from "../apimachinery/status.ts";

/** Whether a create was refused because its namespace is going away: nothing to try again, the namespace controller removes the rest. */
export const isNamespaceTerminating = (error: unknown): boolean =>
  error instanceof StatusError && (error.status.details?.causes ?? []).some((cause) => cause.reason === "NamespaceTerminating");
