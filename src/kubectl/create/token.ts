import { defineCommand } from "../command.ts";
import { pathOf } from "../discovery.ts";
import { KubectlError } from "../errors.ts";
import { duration, list, text } from "../flags.ts";
import { outcomeText } from "../writing.ts";
import type { PlainObject } from "../objects.ts";

export const tokenCommand = defineCommand({
  name: "token", usage: "token SERVICE_ACCOUNT_NAME [flags]", summary: "Request a service account token",
  flags: { audience: list("Audience of the requested token."), duration: duration("Requested lifetime of the issued token.", 0), boundObjectKind: text("Kind of an object to bind the token to."), boundObjectName: text("Name of an object to bind the token to."), boundObjectUid: text("UID of an object to bind the token to."), output: text("Output format", { short: "o" }) },
  async run({ args, flags: given, connect, usageError }) {
    const [name, ...more] = args;
    if (!name || more.length) throw usageError(`exactly one NAME is required, got ${args.length}`);
    const session = await connect();
    const accounts = await session.discovery.find("serviceaccounts");
    const kinds: Record<string, string> = { Pod: "v1", Secret: "v1", Node: "v1" };
    const bound = given.boundObjectKind ? { boundObjectRef: { kind: given.boundObjectKind, apiVersion: kinds[given.boundObjectKind] ?? "v1", name: given.boundObjectName, ...(given.boundObjectUid ? { uid: given.boundObjectUid } : {}) } } : {};
    const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", metadata: {}, spec: { audiences: given.audience, ...(given.duration ? { expirationSeconds: Math.round(given.duration / 1000) } : {}), ...bound } };
    const answer = await session.api.json<PlainObject & { status?: { token?: string } }>(pathOf(accounts, session.namespace, name, "token"), { method: "POST", body }).catch((error: unknown) => {
      throw error instanceof KubectlError ? new KubectlError(`failed to create token: ${error.message}`) : error;
    });
    if (!answer.status?.token) throw new KubectlError("failed to create token: no token in server response");
    session.out(given.output ? outcomeText(answer, "", { output: given.output, showManagedFields: false, dryRun: "none" }) : `${answer.status.token}\n`);
  },
});
