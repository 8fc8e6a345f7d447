import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { ConfigMap, EnvVar, Secret, Service } from "../../../src/apis/generated/core/v1.ts";
import type { Container, Pod } from "../pod/pod.ts";
import { fileKeyValue } from "./env-file.ts";
import { expand } from "./expansion.ts";
import { fieldValue, type PodAddresses } from "./field-ref.ts";
import { resourceFieldValue, type Allocatable } from "./resource-field-ref.ts";
import { serviceEnv, visibleServices } from "./service-env.ts";

/** What environment variables are made from. A missing object is undefined. */
export interface EnvSources {
  nodeName: string;
  addresses: PodAddresses;
  allocatable: Allocatable;
  services: readonly Frozen<Service>[];
  configMap(namespace: string, name: string): Promise<Frozen<ConfigMap> | undefined>;
  secret(namespace: string, name: string): Promise<Frozen<Secret> | undefined>;
  /** Where a volume of the pod lies on this node. */
  volumePath(name: string): string | undefined;
}

/**
 * A container's environment. Later entries win: services, then `envFrom`, then `env`, where each may refer to those before it.
 * Throws an Error with Kubernetes' words when something it needs is missing (CreateContainerConfigError). Source: kubelet's makeEnvironmentVariables.
 */
export async function containerEnv(pod: Pod, container: Container, sources: EnvSources): Promise<Map<string, string>> {
  const namespace = pod.metadata.namespace!;
  const services = serviceEnv(visibleServices(sources.services, namespace, pod.spec.enableServiceLinks ?? true));
  const env = new Map<string, string>();
  for (const from of container.envFrom ?? []) {
    const data = from.configMapRef
      ? await wholeConfigMap(namespace, from.configMapRef, sources)
      : from.secretRef ? await wholeSecret(namespace, from.secretRef, sources) : {};
    for (const [key, value] of Object.entries(data)) env.set((from.prefix ?? "") + key, value);
  }
  const lookup = (name: string): string | undefined => env.get(name) ?? services[name];
  for (const variable of container.env ?? []) {
    const value = await valueOf(pod, container, variable, sources, lookup);
    if (value !== undefined) env.set(variable.name, value);
  }
  for (const [name, value] of Object.entries(services)) if (!env.has(name)) env.set(name, value);
  return env;
}

async function valueOf(pod: Pod, container: Container, { value, valueFrom }: Frozen<EnvVar>, sources: EnvSources, lookup: (name: string) => string | undefined): Promise<string | undefined> {
  const namespace = pod.metadata.namespace!;
  if (!valueFrom) return expand(value ?? "", lookup);
  if (valueFrom.fieldRef) {
    const field = fieldValue(pod, valueFrom.fieldRef.fieldPath, sources.nodeName, sources.addresses);
    if (field === undefined) throw new Error(`unsupported fieldPath: ${valueFrom.fieldRef.fieldPath}`);
    return field;
  }
  if (valueFrom.resourceFieldRef) return resourceFieldValue(pod, valueFrom.resourceFieldRef, container, sources.allocatable);
  if (valueFrom.configMapKeyRef) {
    const { name = "", key, optional } = valueFrom.configMapKeyRef;
    const map = await sources.configMap(namespace, name);
    return require(map ? map.data?.[key] : undefined, optional, map ? `couldn't find key ${key} in ConfigMap ${namespace}/${name}` : `configmap "${name}" not found`);
  }
  if (valueFrom.secretKeyRef) {
    const { name = "", key, optional } = valueFrom.secretKeyRef;
    const secret = await sources.secret(namespace, name);
    return require(text(secret?.data?.[key]), optional, secret ? `couldn't find key ${key} in Secret ${namespace}/${name}` : `secret "${name}" not found`);
  }
  if (valueFrom.fileKeyRef) {
    const { volumeName, path, key, optional } = valueFrom.fileKeyRef;
    return require(fileKeyValue(valueFrom.fileKeyRef, sources.volumePath(volumeName)), optional, `environment variable key "${key}" not found in file "${path}" of volume "${volumeName}"`);
  }
  return undefined;
}

function require(value: string | undefined, optional: boolean | undefined, problem: string): string | undefined {
  if (value === undefined && !optional) throw new Error(problem);
  return value;
}

async function wholeConfigMap(namespace: string, { name = "", optional }: { readonly name?: string; readonly optional?: boolean }, sources: EnvSources): Promise<Readonly<Record<string, string>>> {
  const map = await sources.configMap(namespace, name);
  if (!map && !optional) throw new Error(`configmap "${name}" not found`);
  return map?.data ?? {};
}

async function wholeSecret(namespace: string, { name = "", optional }: { readonly name?: string; readonly optional?: boolean }, sources: EnvSources): Promise<Readonly<Record<string, string>>> {
  const secret = await sources.secret(namespace, name);
  if (!secret && !optional) throw new Error(`secret "${name}" not found`);
  return Object.fromEntries(Object.entries(secret?.data ?? {}).map(([key, value]) => [key, text(value)!]));
}

const text = (base64: string | undefined): string | undefined => (base64 === undefined ? undefined : Buffer.from(base64, "base64").toString());
