import { createHash } from "node:crypto";
import { semanticEqual } from "../../apimachinery/equality.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { PodTemplateSpec } from "../../apis/generated/core/v1.ts";
import { encode, letters } from "../name-hash.ts";

export const podTemplateHash = "pod-template-hash";

/** Ten characters that depend on the template and on how many such names were taken already. Stable over releases: names of ReplicaSets hang on it. */
export function templateHash(template: Frozen<PodTemplateSpec>, collisionCount = 0): string {
  const digest = createHash("sha256").update(encode(template)).update(`#${collisionCount}`).digest();
  return letters(digest.subarray(0, 10));
}

/** Whether two templates ask for the same pods; the hash label, which the controller adds, doesn't count. */
export const sameTemplate = (a: Frozen<PodTemplateSpec> | undefined, b: Frozen<PodTemplateSpec> | undefined): boolean => semanticEqual(withoutHash(a), withoutHash(b));

function withoutHash(template: Frozen<PodTemplateSpec> | undefined): unknown {
  const metadata = template?.metadata;
  const { [podTemplateHash]: _hash, ...labels } = metadata?.labels ?? {};
  const { creationTimestamp: _time, annotations, ...rest } = metadata ?? {};
  return { ...template, metadata: { ...rest, labels: mapOrNone(labels), annotations: mapOrNone(annotations ?? {}) } };
}

const mapOrNone = (map: Readonly<Record<string, string>>): object | undefined => (Object.keys(map).length > 0 ? map : undefined);
