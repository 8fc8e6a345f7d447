import type { Frozen } from "../apimachinery/meta.ts";
import type { AnyResource, ResourceCard } from "../apimachinery/resource.ts";
import { customresourcedefinitions } from "../apis/apiextensions/customresourcedefinition.ts";
import { schemaRules } from "../apis/apiextensions/schema-rules.ts";
import type { Clock } from "../base/clock.ts";
import type { Client } from "../client/client.ts";
import type { InformerFactory } from "../client/informer.ts";
import type { WebhookCaller } from "./conversion/webhook.ts";
import { isTrue } from "./definition/conditions.ts";
import { runDefinitionController } from "./definition/controller.ts";
import { definitionHook, servedDefinitions } from "./definition/definition-card.ts";
import type { PackedDefinition } from "./definition/packing.ts";
import { validateSchema } from "./rules/schema-rules.ts";
import { cardsOf, storageCardOf, type CardDependencies } from "./serving/cards.ts";
import { publishedFingerprint, publishedList, publishedSchema } from "./serving/published-schema.ts";

const definitionsCard = servedDefinitions(customresourcedefinitions);

/** The built-in cards of a server that acts on definitions, with what their schemas have to be. */
export function withCustomResources(cards: readonly AnyResource[]): readonly AnyResource[] {
  schemaRules.validate = validateSchema;
  return cards.map((card) => (card === customresourcedefinitions ? definitionsCard : card));
}

/** For the registry, beside the hooks of other kinds. */
export const definitionHooks = { "customresourcedefinitions.apiextensions.k8s.io": definitionHook };

/** For OpenAPI. */
export const customSchemas = { schema: publishedSchema, list: publishedList, fingerprint: publishedFingerprint };

export interface CustomResourcesDependencies {
  informers: InformerFactory;
  /** May do anything: what it does has been decided by who wrote the definition. */
  client: Client;
  webhooks: WebhookCaller;
  clock: Clock;
  /** Where cards are put: the registry's table. */
  resources: { set(owner: string, cards: readonly AnyResource[]): void };
}

/**
 * Serves custom resources: what is established is in the table within the very write that established it, and goes with its definition.
 * Resolves when `signal` has aborted and work under way has ended.
 */
export async function runCustomResources({ informers, client, webhooks, clock, resources }: CustomResourcesDependencies, signal: AbortSignal): Promise<void> {
  const definitions = informers.informer(definitionsCard as unknown as ResourceCard<PackedDefinition>);
  /** Also when it is gone: a request that began before must not leave an object that nobody serves. */
  const isTerminating = (name: string): boolean => {
    const definition = definitions.lister.get(name);
    return !definition || definition.metadata.deletionTimestamp !== undefined;
  };
  const cards: CardDependencies = { webhooks, isTerminating };
  const unsubscribe = definitions.onChange((old, current) => {
    const { name } = (current ?? old)!.metadata;
    if (current && old && isUnchanged(old, current)) return;
    resources.set(owner(name!), current ? cardsOf(current, cards) : []);
  });
  try {
    await runDefinitionController({
      card: definitionsCard as AnyResource, definitions, informers, client, clock,
      cardOf: (definition) => storageCardOf(definition, cards),
    }, signal);
  } finally {
    unsubscribe();
  }
}

const owner = (name: string): string => `customresourcedefinitions/${name}`;

/** Whether the cards would be the same. */
const isUnchanged = (old: Frozen<PackedDefinition>, current: Frozen<PackedDefinition>): boolean =>
  Bun.deepEquals([old.spec, old.status?.acceptedNames], [current.spec, current.status?.acceptedNames]) && isTrue(old, "Established") === isTrue(current, "Established");
