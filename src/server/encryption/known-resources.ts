import type { AnyResource } from "../../apimachinery/resource.ts";
import { prefixOf } from "../../registry/store.ts";
import { UsageError } from "../settings.ts";
import { prefixOfResource } from "./config.ts";

/** Throws a `UsageError` for a resource of a group of Kubernetes' own that isn't stored under that name: its objects would go on lying in plain. */
export function mustBeKnown(resources: readonly string[], kinds: readonly AnyResource[]): void {
  const prefixes = kinds.map((kind) => prefixOf(kind)), groups = new Set(kinds.map(({ group }) => group || "core"));
  const wrong = resources.find((name) => !prefixes.includes(prefixOfResource(name)) && groups.has(groupOf(prefixOfResource(name))));
  if (wrong !== undefined) throw new UsageError(`--secrets-encryption-resources: nothing is stored as ${JSON.stringify(wrong)}: write names as "kubectl api-resources" shows them, with the group unless that is v1's, such as secrets or deployments.apps`);
}

/** `/registry/<group>/<resource>/`. */
const groupOf = (prefix: string): string => prefix.split("/")[2]!;
