import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { ConfigMap, DownwardAPIVolumeFile, KeyToPath, Secret } from "../../../src/apis/generated/core/v1.ts";
import { fieldValue } from "../env/field-ref.ts";
import { resourceFieldValue } from "../env/resource-field-ref.ts";
import type { ProjectedFile } from "./atomic-writer.ts";
import type { VolumeContext } from "./volume.ts";

export type Files = Map<string, ProjectedFile>;

interface Selection {
  items?: readonly Frozen<KeyToPath>[];
  optional?: boolean;
  mode: number;
}

/** A ConfigMap's keys as files. Throws, in Kubernetes' words, when it or a key named by `items` is missing and not optional. */
export async function configMapFiles({ pod, configMap }: VolumeContext, name: string, selection: Selection): Promise<Files> {
  const map = await configMap(pod.metadata.namespace!, name);
  if (!map && !selection.optional) throw new Error(`configmap "${name}" not found`);
  return select(map ? bytesOf(map) : new Map(), selection, "configmap");
}

export async function secretFiles({ pod, secret }: VolumeContext, name: string, selection: Selection): Promise<Files> {
  const found = await secret(pod.metadata.namespace!, name);
  if (!found && !selection.optional) throw new Error(`secret "${name}" not found`);
  return select(found ? secretBytes(found) : new Map(), selection, "secret");
}

export function downwardApiFiles({ pod, nodeName, addresses, allocatable }: VolumeContext, items: readonly Frozen<DownwardAPIVolumeFile>[], defaultMode: number): Files {
  return new Map(items.map(({ path, fieldRef, resourceFieldRef, mode }) => {
    const text = fieldRef ? fieldValue(pod, fieldRef.fieldPath, nodeName, addresses(pod)) : resourceFieldValue(pod, resourceFieldRef!, undefined, allocatable);
    if (text === undefined) throw new Error(`unsupported fieldPath: ${fieldRef?.fieldPath}`);
    return [path, { data: Buffer.from(text), mode: mode ?? defaultMode }];
  }));
}

function select(data: ReadonlyMap<string, Uint8Array>, { items, optional, mode }: Selection, kind: string): Files {
  if (!items || items.length === 0) return new Map([...data].map(([key, bytes]) => [key, { data: bytes, mode }]));
  const files: Files = new Map();
  for (const item of items) {
    const bytes = data.get(item.key);
    if (bytes) files.set(item.path, { data: bytes, mode: item.mode ?? mode });
    else if (!optional) throw new Error(`${kind} references non-existent ${kind === "secret" ? "secret" : "config"} key: ${item.key}`);
  }
  return files;
}

function bytesOf(map: Frozen<ConfigMap>): Map<string, Uint8Array> {
  const data = new Map<string, Uint8Array>();
  for (const [key, text] of Object.entries(map.data ?? {})) data.set(key, Buffer.from(text));
  for (const [key, base64] of Object.entries(map.binaryData ?? {})) data.set(key, Buffer.from(base64, "base64"));
  return data;
}

const secretBytes = (secret: Frozen<Secret>): Map<string, Uint8Array> => new Map(Object.entries(secret.data ?? {}).map(([key, base64]) => [key, Buffer.from(base64, "base64")]));
