import { thaw, type Frozen, type KubeObject } from "../apimachinery/meta.ts";
import { isAlreadyExists } from "../apimachinery/status.ts";
import { controllerrevisions } from "../apis/builtins.ts";
import type { ControllerRevision } from "../apis/generated/apps/v1.ts";
import type { PodTemplateSpec } from "../apis/generated/core/v1.ts";
import type { Client } from "../client/client.ts";
import { newControllerRef, type Owner } from "./controller-ref.ts";
import { encode, letters } from "./name-hash.ts";

/** The history that StatefulSets and DaemonSets keep. Source: k8s.io/kubernetes/pkg/controller/history. */

type Revision = Frozen<ControllerRevision>;

/** A strategic merge patch that brings a pod template back: what a ControllerRevision holds, and `kubectl rollout undo` sends. */
export const templatePatch = (template: Frozen<PodTemplateSpec>): Record<string, unknown> => ({ spec: { template: { ...template, $patch: "replace" } } });

/** The template that a revision holds. */
export function templateOf({ data }: Revision): PodTemplateSpec {
  const { $patch: _, ...template } = (data as Frozen<{ spec?: { template?: Record<string, unknown> } }> | undefined)?.spec?.template ?? {};
  return thaw<PodTemplateSpec>(template as PodTemplateSpec);
}

export const holds = (revision: Revision, data: object): boolean => encode(revision.data ?? {}) === encode(data);

/** FNV-1 over the data and the number of collisions so far, in letters that make no words. */
export function revisionHash(data: object, collisionCount: number): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(encode(data) + collisionCount)) hash = (Math.imul(hash, 0x01000193) ^ byte) >>> 0;
  return letters(new TextEncoder().encode(String(hash)));
}

/** Names may have 253 characters. */
export const revisionName = (owner: Frozen<KubeObject>, hash: string): string => `${owner.metadata.name!.slice(0, 223)}-${hash}`;

/** Oldest first. */
export const byRevision = (a: Revision, b: Revision): number =>
  a.revision - b.revision || Date.parse(a.metadata.creationTimestamp ?? "") - Date.parse(b.metadata.creationTimestamp ?? "") || (a.metadata.name! < b.metadata.name! ? -1 : 1);

export interface NewRevision {
  data: Record<string, unknown>;
  revision: number;
  /** The template's labels: the owner selects its history by them. */
  labels: Readonly<Record<string, string>>;
  /** The label that carries the hash. */
  hashLabel: string;
}

/**
 * Writes a revision under a name made of its hash. One of that name which holds the same is taken for it: an earlier try wrote it. One that
 * holds something else makes the hash count one more collision, which the owner's status must remember.
 */
export async function createRevision({ client, card, object: owner }: Owner, { data, revision, labels, hashLabel }: NewRevision, collisionCount: number): Promise<{ created: Revision; collisionCount: number }> {
  for (let collisions = collisionCount; ; collisions++) {
    const hash = revisionHash(data, collisions), name = revisionName(owner, hash), { namespace } = owner.metadata;
    const annotations = thaw(owner.metadata.annotations ?? {});
    const body: ControllerRevision = {
      apiVersion: "apps/v1", kind: "ControllerRevision",
      metadata: { name, namespace, labels: { ...labels, [hashLabel]: hash }, ...(Object.keys(annotations).length > 0 ? { annotations } : {}), ownerReferences: [newControllerRef(card, owner)] },
      // In the order in which it was encoded: clients compare it byte by byte.
      data: JSON.parse(encode(data)) as Record<string, unknown>, revision,
    };
    try {
      return { created: await client.create(controllerrevisions, body), collisionCount: collisions };
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const existing = await client.get(controllerrevisions, { namespace, name });
      if (holds(existing, data)) return { created: existing, collisionCount: collisions };
    }
  }
}

/** A rollback makes an old revision the newest. */
export async function renumber(client: Client, old: Revision, revision: number): Promise<Revision> {
  const { namespace, name, uid } = old.metadata;
  return client.patch(controllerrevisions, { namespace, name: name! }, { type: "application/merge-patch+json", body: { metadata: { uid }, revision } });
}
