import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { setOwn, type JsonObject } from "../../apimachinery/own.ts";
import { defineResource, type ResourceCard } from "../../apimachinery/resource.ts";
import { compareKubeVersions } from "../../apimachinery/version-priority.ts";
import { createConverter } from "../conversion/converter.ts";
import type { WebhookCaller } from "../conversion/webhook.ts";
import { isTrue } from "../definition/conditions.ts";
import type { PackedDefinition, PackedVersion } from "../definition/packing.ts";
import { defaulted } from "../schema/defaulting.ts";
import { customColumns, customFieldSelectors } from "./columns.ts";
import { customObjectSchema } from "./object-schema.ts";
import { publish } from "./published-schema.ts";
import { scaleMapping } from "./scale.ts";
import { ServedSchema } from "./served-schema.ts";
import { customStoredForm } from "./stored-form.ts";
import { customStrategy } from "./strategy.ts";

type Definition = Frozen<PackedDefinition>;

export interface CardDependencies {
  webhooks: WebhookCaller;
  /** Whether the definition is being deleted now. Asked at each create: cards, and with them watches, outlive that change. */
  isTerminating(name: string): boolean;
}

/** The cards of an established definition, one for each version served; none before. Nothing of the schemas is read yet. */
export const cardsOf = (definition: Definition, dependencies: CardDependencies): ResourceCard<KubeObject>[] =>
  makeCards(definition, dependencies, definition.spec.versions.filter(({ served }) => served));

/** The card of the storage version, served or not: what reaches all instances without conversion. */
export const storageCardOf = (definition: Definition, dependencies: CardDependencies): ResourceCard<KubeObject> | undefined =>
  makeCards(definition, dependencies, definition.spec.versions.filter(({ storage }) => storage))[0];

function makeCards(definition: Definition, { webhooks, isTerminating }: CardDependencies, versions: readonly Frozen<PackedVersion>[]): ResourceCard<KubeObject>[] {
  const { spec, status } = definition, storageVersion = spec.versions.find(({ storage }) => storage)?.name;
  if (!status || storageVersion === undefined || !isTrue(definition, "Established")) return [];
  const { group } = spec, { plural: resource, kind, listKind, singular, shortNames, categories } = status.acceptedNames;
  const schemas = new Map(spec.versions.map((version) => [version.name, new ServedSchema(version)]));
  const convert = createConverter({ conversion: spec.conversion, group, webhooks });
  const terminating = (): boolean => isTerminating(definition.metadata.name!);

  return versions.map((version) => {
    const schema = schemas.get(version.name)!, { scale } = version.subresources ?? {}, hasStatus = version.subresources?.status !== undefined;
    const card = defineResource<KubeObject>({
      group, version: version.name, kind, resource, scope: spec.scope as "Namespaced" | "Cluster",
      singular: singular || kind.toLowerCase(), shortNames: shortNames ?? [], categories: categories ?? [],
      ...(listKind && listKind !== `${kind}List` ? { listKind } : {}),
      anyFinalizer: true,
      schema: schemaName(group, version.name, kind),
      subresources: { ...(hasStatus ? { status: true } : {}), ...(scale ? { scale: scaleMapping(scale) } : {}) },
      ...(version.deprecated ? { deprecation: version.deprecationWarning ?? deprecationOf(spec, version) } : {}),
      default: (object) => applyDefaults(object, schema),
      strategy: customStrategy({ group, resource, schema, hasStatus, scale, terminating }),
      columns: customColumns(version.additionalPrinterColumns),
      fieldSelectors: customFieldSelectors(version.selectableFields),
      objectSchema: customObjectSchema(kind, version.name, schema),
      stored: customStoredForm({ group, resource, version: version.name, storageVersion, schemas, convert }),
    });
    publish(card, version);
    return card;
  });
}

/** `com.example.stable.v1.CronTab`: what OpenAPI calls the type. */
export const schemaName = (group: string, version: string, kind: string): string => `${group.split(".").toReversed().join(".")}.${version}.${kind}`;

/** In place: the object is the registry's. */
function applyDefaults(object: KubeObject, schema: ServedSchema): void {
  const known = schema.value;
  if (!known) return;
  const complete = defaulted(object, known);
  if (complete === object) return;
  const target = object as unknown as JsonObject, source = complete as unknown as JsonObject;
  for (const name of Object.keys(target)) if (!Object.hasOwn(source, name)) delete target[name];
  for (const name of Object.keys(source)) setOwn(target, name, source[name]);
}

function deprecationOf({ group, names: { kind }, versions }: Definition["spec"], { name }: Frozen<PackedVersion>): string {
  const better = versions.filter((version) => version.served && !version.deprecated && compareKubeVersions(version.name, name) < 0).map((version) => version.name).toSorted(compareKubeVersions)[0];
  return `${group}/${name} ${kind} is deprecated${better === undefined ? "" : `; use ${group}/${better} ${kind}`}`;
}
