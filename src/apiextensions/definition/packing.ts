import type { Frozen, KubeObject, ObjectMeta } from "../../apimachinery/meta.ts";
import type { StoredForm } from "../../apimachinery/resource.ts";
import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from "../../apis/generated/apiextensions/v1.ts";
import type { Schema } from "../schema/schema.ts";

/**
 * Definitions are large (those of an operator set take tens of megabytes as objects) and their schemas are rarely looked at, so they are
 * stored, and held in memory, with what is large in them as compressed JSON. Who asks the API gets them whole.
 */
export interface PackedDefinition extends Omit<CustomResourceDefinition, "metadata" | "spec"> {
  metadata: ObjectMeta;
  spec: Omit<CustomResourceDefinition["spec"], "versions"> & { versions: PackedVersion[] };
  /** `metadata.managedFields`, and the annotation that `kubectl apply` leaves. */
  packed?: { managedFields?: Packed; lastApplied?: Packed };
}

export interface PackedVersion extends Omit<CustomResourceDefinitionVersion, "schema"> {
  schema?: { openAPIV3Schema?: Frozen<Schema> | Packed };
}

/** Base64 of deflated JSON. */
type Packed = string;

const lastAppliedAnnotation = "kubectl.kubernetes.io/last-applied-configuration";
/** What is smaller gains nothing. */
const packFrom = 1024;

function pack(value: unknown): Packed | undefined {
  const json = JSON.stringify(value) as string | undefined;
  return json === undefined || json.length < packFrom ? undefined : Buffer.from(Bun.deflateSync(Buffer.from(json), { level: 6 })).toString("base64");
}

const unpack = (packed: Packed): unknown => JSON.parse(Buffer.from(Bun.inflateSync(Buffer.from(packed, "base64"))).toString());

/** The schema of a version, unpacked anew at each call. */
export const schemaOf = ({ schema }: Frozen<PackedVersion>): Schema | undefined => {
  const stored = schema?.openAPIV3Schema;
  return typeof stored === "string" ? unpack(stored) as Schema : stored as Schema | undefined;
};

export function packDefinition(definition: CustomResourceDefinition): PackedDefinition {
  const { metadata, spec } = definition;
  const { managedFields, annotations, ...rest } = metadata;
  const packedFields = managedFields && pack(managedFields), lastApplied = annotations?.[lastAppliedAnnotation], packedApplied = lastApplied && pack(lastApplied);
  const { [lastAppliedAnnotation]: _, ...otherAnnotations } = annotations ?? {};
  return {
    ...definition,
    metadata: {
      ...rest,
      ...(annotations ? { annotations: packedApplied ? otherAnnotations : annotations } : {}),
      ...(managedFields && !packedFields ? { managedFields } : {}),
    },
    spec: { ...spec, versions: (spec.versions ?? []).map(packVersion) },
    ...(packedFields || packedApplied ? { packed: { ...(packedFields ? { managedFields: packedFields } : {}), ...(packedApplied ? { lastApplied: packedApplied } : {}) } } : {}),
  };
}

function packVersion(version: CustomResourceDefinitionVersion): PackedVersion {
  const packed = version.schema && pack(version.schema.openAPIV3Schema);
  return packed ? { ...version, schema: { openAPIV3Schema: packed } } : version as PackedVersion;
}

/** Unpacked when it is looked at: tables and metadata of definitions, as `kubectl get crds` asks for, do without. */
function lazySchema(version: Frozen<PackedVersion>): { openAPIV3Schema: Schema | undefined } {
  let schema: Schema | undefined;
  return {
    get openAPIV3Schema() {
      return (schema ??= schemaOf(version));
    },
  };
}

export function unpackDefinition(stored: Frozen<PackedDefinition>): CustomResourceDefinition {
  const { packed, ...definition } = stored;
  const { annotations } = definition.metadata;
  return {
    ...definition,
    metadata: {
      ...definition.metadata,
      ...(packed?.lastApplied ? { annotations: { ...annotations, [lastAppliedAnnotation]: unpack(packed.lastApplied) as string } } : {}),
      ...(packed?.managedFields ? { managedFields: unpack(packed.managedFields) } : {}),
    },
    spec: { ...definition.spec, versions: definition.spec.versions.map((version) => (typeof version.schema?.openAPIV3Schema === "string" ? { ...version, schema: lazySchema(version) } : version)) },
  } as CustomResourceDefinition;
}

/** Whole definitions live as long as somebody holds them. */
export function packedForm(): StoredForm<CustomResourceDefinition> {
  const whole = new WeakMap<object, WeakRef<Frozen<CustomResourceDefinition>>>();
  const read = (object: Frozen<KubeObject>): Frozen<CustomResourceDefinition> => {
    let definition = whole.get(object)?.deref();
    if (!definition) {
      definition = unpackDefinition(object as Frozen<PackedDefinition>) as Frozen<CustomResourceDefinition>;
      whole.set(object, new WeakRef(definition));
    }
    return definition;
  };
  return {
    group: "apiextensions.k8s.io", resource: "customresourcedefinitions",
    read: (objects) => objects.map(read),
    write: (definition) => packDefinition(definition) as KubeObject,
  };
}
