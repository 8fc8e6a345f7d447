import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { load } from "js-yaml";
import { isObject, type JsonObject } from "../apimachinery/own.ts";
import type { WebhookTarget } from "../apiserver/audit/webhook-backend.ts";
import { UsageError } from "./settings.ts";

/** The server of a kubeconfig's current context, and the credentials for it. `flag` names the setting in errors. Throws a `UsageError`. */
export function readKubeconfig(file: string, flag: string): WebhookTarget {
  const fail = (reason: string, cause?: unknown): UsageError => new UsageError(`${flag} ${file} can't be used: ${reason}`, { cause });
  let config: JsonObject;
  try {
    const content = load(readFileSync(file, "utf8"));
    if (!isObject(content)) throw new Error("it is no kubeconfig");
    config = content;
  } catch (error) {
    throw fail((error as Error).message.split("\n")[0]!, error);
  }
  const named = (list: string, name: unknown, member: string): JsonObject | undefined =>
    (Array.isArray(config[list]) ? config[list] as JsonObject[] : []).find((each) => name === undefined || each["name"] === name)?.[member] as JsonObject | undefined;
  const text = (from: JsonObject | undefined, field: string): string | undefined => {
    const data = from?.[`${field}-data`], path = from?.[field];
    if (typeof data === "string") return Buffer.from(data, "base64").toString();
    return typeof path === "string" ? readFileSync(resolve(dirname(file), path), "utf8") : undefined;
  };
  const context = named("contexts", config["current-context"], "context");
  const cluster = named("clusters", context?.["cluster"], "cluster"), user = named("users", context?.["user"], "user");
  const server = cluster?.["server"];
  if (typeof server !== "string" || !URL.canParse(server)) throw fail("its cluster has no server");
  try {
    const ca = text(cluster, "certificate-authority"), certificate = text(user, "client-certificate"), key = text(user, "client-key");
    return {
      server, ...(ca ? { ca } : {}), ...(certificate && key ? { certificate, key } : {}), ...(typeof user?.["token"] === "string" ? { token: user["token"] } : {}),
      ...(cluster?.["insecure-skip-tls-verify"] === true ? { insecure: true } : {}),
    };
  } catch (error) {
    throw fail((error as Error).message, error);
  }
}
