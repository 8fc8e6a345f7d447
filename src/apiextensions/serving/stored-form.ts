import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import type { StoredForm } from "../../apimachinery/resource.ts";
import type { Converter } from "../conversion/converter.ts";
import { defaulted } from "../schema/defaulting.ts";
import { coerced } from "../schema/metadata.ts";
import { pruned } from "../schema/pruning.ts";
import type { ServedSchema } from "./served-schema.ts";

export interface StoredFormOptions {
  group: string;
  resource: string;
  /** The version served. */
  version: string;
  storageVersion: string;
  /** By version; those that are neither served nor stored, too. */
  schemas: ReadonlyMap<string, ServedSchema>;
  convert: Converter;
}

/**
 * Stored objects may be in any version, and older than today's schema: they are pruned and defaulted by the schema of their own version,
 * then converted. Source: k8s.io/apiextensions-apiserver pkg/apiserver customresource_handler.go (crdConversionRESTOptionsGetter).
 */
export function customStoredForm({ group, resource, version, storageVersion, schemas, convert }: StoredFormOptions): StoredForm<KubeObject> {
  const apiVersion = `${group}/${version}`, storageApiVersion = `${group}/${storageVersion}`;
  const known = new WeakMap<object, Frozen<KubeObject>>();
  const schemaFor = (object: Frozen<KubeObject>) => schemas.get(object.apiVersion?.slice(group.length + 1) ?? "")?.value;

  /** Without what the schema doesn't know, in metadata too. */
  const fitted = (object: Frozen<KubeObject>): Frozen<KubeObject> => {
    const schema = schemaFor(object);
    return schema ? pruned(coerced(object, schema, { dropInvalid: true }), schema) : object;
  };
  const current = (object: Frozen<KubeObject>): Frozen<KubeObject> => {
    const schema = schemaFor(object);
    return schema ? defaulted(fitted(object), schema) : object;
  };
  const remember = (stored: Frozen<KubeObject>, converted: Frozen<KubeObject>): Frozen<KubeObject> => {
    const served = converted.apiVersion === stored.apiVersion ? converted : fitted(converted);
    known.set(stored, served);
    return served;
  };

  return {
    group, resource, version: storageVersion, decodes: [...schemas.keys()],
    read(objects) {
      const missing = objects.filter((object) => !known.has(object));
      const found = (): Frozen<KubeObject>[] => objects.map((object) => known.get(object)!);
      if (missing.length === 0) return found();
      const converted = convert(missing.map(current), apiVersion);
      const finish = (results: readonly Frozen<KubeObject>[]): Frozen<KubeObject>[] => {
        missing.forEach((stored, i) => remember(stored, results[i]!));
        return found();
      };
      return converted instanceof Promise ? converted.then(finish) : finish(converted);
    },
    write(object) {
      const converted = convert([object as Frozen<KubeObject>], storageApiVersion);
      const finish = ([result]: readonly Frozen<KubeObject>[]): KubeObject => (result!.apiVersion === apiVersion ? result : fitted(result!)) as KubeObject;
      return converted instanceof Promise ? converted.then(finish) : finish(converted);
    },
    isStale: (stored) => stored.apiVersion !== storageApiVersion,
  };
}
