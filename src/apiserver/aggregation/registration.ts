import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import type { AnyResource, ResourceCard } from "../../apimachinery/resource.ts";
import { isAlreadyExists, isConflict, isNotFound } from "../../apimachinery/status.ts";
import { formatTime } from "../../apimachinery/time.ts";
import type { Client } from "../../client/client.ts";
import type { Lister } from "../../client/informer.ts";
import { apiServiceName, isAvailable, type ApiService, type ApiServiceCondition } from "./api-service.ts";
import { groupPriority, isBuiltIn, isReplaceable, versionPriority } from "./priorities.ts";

/** What we made ourselves, and may take away again. */
const managedLabel = "kube-aggregator.kubernetes.io/automanaged";

/** An APIService for each group in each version that this server itself serves, and none for what it served once. */
export async function registerLocal({ card, cards, lister, isDefined, client, now }: {
  card: ResourceCard<ApiService>;
  cards: readonly AnyResource[];
  lister: Lister<ApiService>;
  /** Whether a definition stands behind this APIService: at start its kind may not be served yet. */
  isDefined(name: string): boolean;
  client: Client;
  now: number;
}): Promise<void> {
  const wanted = new Map<string, ApiService>();
  for (const { group, version } of cards) {
    const name = apiServiceName(group, version);
    if (!wanted.has(name)) wanted.set(name, localService(name, group, version));
  }
  await Promise.all([...wanted.values()].map(ensure));
  for (const { metadata: { name = "", labels } } of lister.list()) {
    if (labels?.[managedLabel] && !wanted.has(name) && !isDefined(name)) await client.delete(card, { name }).catch(unless(isNotFound));
  }

  async function ensure(service: ApiService): Promise<void> {
    const found = lister.get(service.metadata.name!);
    if (!found) await client.create(card, service).catch(unless(isAlreadyExists));
    // An APIService written over ours keeps our label: whoever brings a server for the group is meant to have it.
    else if (found.spec.service && isReplaceable(found.spec.group ?? "")) return;
    else if (found.metadata.labels?.[managedLabel] && !Bun.deepEquals(found.spec, service.spec)) await client.update(card, { ...thaw<ApiService>(found), spec: service.spec }).catch(unless(isConflict));
    const current = lister.get(service.metadata.name!);
    if (current && !current.spec.service && !isAvailable(current)) await client.update(card, withLocalStatus(current, now), { subresource: "status" }).catch(unless(isConflict));
  }
}

const localService = (name: string, group: string, version: string): ApiService => ({
  metadata: { name, labels: { [managedLabel]: isBuiltIn(group) ? "onstart" : "true" } },
  spec: { ...(group ? { group } : {}), version, groupPriorityMinimum: groupPriority(group), versionPriority: versionPriority(group, version) },
});

function withLocalStatus(service: Frozen<ApiService>, now: number): ApiService {
  const available: ApiServiceCondition = { type: "Available", status: "True", reason: "Local", message: "Local APIServices are always available", lastTransitionTime: formatTime(now) };
  return { ...thaw<ApiService>(service), status: { conditions: [available] } };
}

/** Another writer was faster: the next round looks again. */
const unless = (expected: (error: unknown) => boolean) => (error: unknown): void => {
  if (!expected(error)) throw error;
};
