import type { AnyResource } from "../../apimachinery/resource.ts";
import { hasType } from "../../apimachinery/schema/schema.ts";
import { customresourcedefinitions, validatingadmissionpolicies } from "../../apis/builtins.ts";
import type { CustomResourceDefinition } from "../../apis/generated/apiextensions/v1.ts";
import { declTypeOf, type SchemaLike } from "../../cel/schema/decl-type.ts";
import { tableDeclType } from "../../cel/schema/table-type.ts";
import type { DeclType } from "../../cel/cel.ts";
import { defineController, type Controller, type ServedKinds } from "../../client/controller.ts";
import type { Lister } from "../../client/informer.ts";
import { typeCheck } from "./type-checking.ts";

/** Says in a policy's status what its expressions do that the kinds it is for don't have. */
export function validatingAdmissionPolicyStatus({ kinds }: { kinds: ServedKinds }): Controller {
  return defineController({
    name: "validatingadmissionpolicy-status-controller", for: validatingadmissionpolicies, writes: [validatingadmissionpolicies], reads: [customresourcedefinitions],
    async reconcile(name, { client, lister }) {
      const policy = lister(validatingadmissionpolicies).get(name);
      if (!policy) return;
      const { uid, generation = 0 } = policy.metadata;
      if (generation <= (policy.status?.observedGeneration ?? 0)) return;
      const definitions = lister(customresourcedefinitions);
      const warnings = typeCheck(policy, { cards: kinds.cards, declTypeOf: (card) => typeOfKind(card, definitions) });
      const status = { observedGeneration: generation, typeChecking: { expressionWarnings: warnings.length > 0 ? warnings : null } };
      await client.patch(validatingadmissionpolicies, { name }, { type: "application/merge-patch+json", body: { metadata: { uid }, status } }, { subresource: "status" });
    },
  });
}

function typeOfKind(card: AnyResource, definitions: Lister<CustomResourceDefinition>): DeclType | undefined {
  if (!card.objectSchema) return hasType(card.schema) ? tableDeclType(card.schema) : undefined;
  const definition = definitions.get(`${card.resource}.${card.group}`);
  const schema = definition?.spec.versions?.find(({ name }) => name === card.version)?.schema?.openAPIV3Schema;
  return schema && declTypeOf(schema as SchemaLike, card.kind, true);
}
