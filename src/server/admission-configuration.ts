import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { load } from "js-yaml";
import { isObject, type JsonObject } from "../apimachinery/own.ts";
import { parsePodSecurityConfiguration } from "../registry/admission/plugins/pod-security/configuration.ts";
import type { PodSecurityConfiguration } from "../registry/admission/plugins/pod-security/pod-security.ts";
import { UsageError } from "./settings.ts";

/** What a file of apiserver.config.k8s.io/v1 AdmissionConfiguration says of plugins: the configurations of those that have any. */
export interface AdmissionConfiguration {
  podSecurity?: PodSecurityConfiguration;
}

const flag = "--admission-control-config-file";

/** Throws a `UsageError` for a file that can't be used, and for settings of plugins that have none here. */
export function readAdmissionConfiguration(file: string): AdmissionConfiguration {
  const content = readYaml(file);
  if (content["kind"] !== "AdmissionConfiguration" || content["apiVersion"] !== "apiserver.config.k8s.io/v1") throw new UsageError(`${flag} ${file} must have apiVersion "apiserver.config.k8s.io/v1" and kind "AdmissionConfiguration"`);
  const plugins = content["plugins"] ?? [];
  if (!Array.isArray(plugins) || !plugins.every(isObject)) throw new UsageError(`${flag} ${file}: plugins must be a list`);
  const found: AdmissionConfiguration = {};
  for (const plugin of plugins as JsonObject[]) {
    const { name, path, configuration } = plugin;
    const settings = isObject(configuration) ? configuration : typeof path === "string" && path !== "" ? readYaml(resolve(dirname(file), path)) : undefined;
    if (settings === undefined) continue;
    if (name !== "PodSecurity") throw new UsageError(`${flag} ${file}: the plugin ${JSON.stringify(name)} takes no configuration`);
    try {
      found.podSecurity = parsePodSecurityConfiguration(settings);
    } catch (error) {
      throw new UsageError(`${flag} ${file}: PodSecurity: ${(error as Error).message}`, { cause: error });
    }
  }
  return found;
}

function readYaml(file: string): JsonObject {
  try {
    const content = load(readFileSync(file, "utf8"));
    if (isObject(content)) return content;
  } catch (error) {
    throw new UsageError(`${flag} ${file} can't be read: ${(error as Error).message.split("\n")[0]}`, { cause: error });
  }
  throw new UsageError(`${flag} ${file} must hold an object`);
}
