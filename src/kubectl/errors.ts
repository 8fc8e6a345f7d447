import type { Status } from "../apis/generated/meta/v1.ts";

/** A mistake or a failure that is told in kubectl's way, `error: …`, before the command ends with its exit code. */
export class KubectlError extends Error {
  constructor(message: string, readonly exitCode = 1) {
    super(message);
  }
}

/** Told without `error: ` in front. */
export class PlainError extends KubectlError {}

/** The server could not be asked. */
export class ConnectionError extends PlainError {}

/** A command elsewhere ended with this code. */
export class RemoteExit extends PlainError {}

/** Ends the command without a word: all has been said. */
export class SilentExit extends KubectlError {
  constructor(exitCode = 1) {
    super("", exitCode);
  }
}

/** What the server answered instead of what was asked for. */
export class ServerError extends KubectlError {
  constructor(readonly status: Status) {
    super(status.message ?? "unknown");
  }

  get reason(): string {
    return this.status.reason ?? "";
  }
}

/** Several objects, several failures. */
class SeveralErrors extends KubectlError {
  constructor(readonly errors: readonly unknown[]) {
    super(errors.map(messageOf).join("\n"));
  }
}

export const isReason = (error: unknown, ...reasons: readonly string[]): error is ServerError => error instanceof ServerError && reasons.includes(error.reason);
export const isNotFound = (error: unknown): error is ServerError => isReason(error, "NotFound");

/** The same failure with what was being done with which manifest: `error when creating "web.yaml": …`. */
export function withSource(error: unknown, verb: string, source: string): unknown {
  if (!source || error instanceof ConnectionError) return error;
  if (error instanceof ServerError) return new ServerError({ ...error.status, message: `error when ${verb} ${JSON.stringify(source)}: ${error.status.message}` });
  return error instanceof KubectlError ? new KubectlError(`error when ${verb} ${JSON.stringify(source)}: ${error.message}`, error.exitCode) : error;
}

/** Does something with each and goes on after failures, which are thrown together at the end. */
export async function forEachDespiteErrors<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const errors: unknown[] = [];
  for (const item of items) {
    try {
      await work(item);
    } catch (error) {
      if (error instanceof ConnectionError || !(error instanceof KubectlError)) throw error;
      errors.push(...(error instanceof SeveralErrors ? error.errors : [error]));
    }
  }
  throwAll(errors);
}

export function throwAll(errors: readonly unknown[]): void {
  if (errors.length === 1) throw errors[0];
  if (errors.length) throw new SeveralErrors(errors);
}

/** Source: k8s.io/kubectl/pkg/cmd/util StandardErrorMessage. */
function messageOf(error: unknown): string {
  if (error instanceof ServerError) {
    const { reason, message } = error.status;
    if (reason === "Unauthorized") return `error: You must be logged in to the server (${message})`;
    return `Error from server${reason ? ` (${reason})` : ""}: ${message}`;
  }
  return error instanceof Error ? error.message : String(error);
}

/** The text for stderr. Source: k8s.io/kubectl/pkg/cmd/util checkErr. */
export function errorText(error: unknown): string {
  if (error instanceof SilentExit) return "";
  if (isReason(error, "Invalid")) return `${invalidText(error.status)}\n`;
  if (error instanceof ServerError || error instanceof SeveralErrors || error instanceof PlainError) return `${messageOf(error)}\n`;
  const message = messageOf(error);
  return `${message.startsWith("error: ") ? "" : "error: "}${message}\n`;
}

function invalidText({ message = "", details }: Status): string {
  if (!details) return `The request is invalid: ${message}`;
  const what = details.kind || details.name ? `The ${details.kind ?? ""} ${JSON.stringify(details.name ?? "")} is invalid` : "The request is invalid";
  const causes = [...new Set((details.causes ?? []).map(({ field, message: text }) => (field ? `${field}: ${text}` : `${text}`)))];
  if (causes.length === 0) return details.kind || details.name ? what : `${what}: ${message}`;
  return causes.length === 1 ? `${what}: ${causes[0]}` : `${what}: \n${causes.map((cause) => `* ${cause}`).join("\n")}`;
}
