import type { Frozen } from "../apimachinery/meta.ts";
import type { Container, Pod, Volume } from "../apis/generated/core/v1.ts";

/**
 * What was decided against pods since anything last changed. In a full cluster thousands of pods of one Deployment wait, and are tried whenever
 * one of them might fit: all but the first few of them fare alike.
 */
export class KnownFailures<T> {
  #version = -1;
  readonly #failures = new Map<number | bigint, T>();

  /** `version` grows with every change that a decision may depend on. */
  get(signature: number | bigint | undefined, version: number): T | undefined {
    if (version === this.#version) return signature === undefined ? undefined : this.#failures.get(signature);
    this.#version = version;
    this.#failures.clear();
    return undefined;
  }

  /** To be called for the version of the `get` before. */
  add(signature: number | bigint | undefined, failure: T): void {
    if (signature !== undefined) this.#failures.set(signature, failure);
  }
}

/** Equal for pods that no plugin could tell apart; undefined for pods that are like no other. */
export function signatureOf({ metadata, spec, status }: Frozen<Pod>): number | bigint | undefined {
  if (status?.nominatedNodeName || spec.resourceClaims?.length || spec.volumes?.some(({ ephemeral }) => ephemeral)) return undefined;
  const { volumes, containers, initContainers, ...others } = spec;
  const owner = metadata.ownerReferences?.find(({ controller }) => controller)?.uid;
  return Bun.hash(JSON.stringify([metadata.namespace, metadata.labels, owner, others, volumes?.filter(matters), containers.map(withoutMounts), initContainers?.map(withoutMounts)]));
}

/** Every pod has a volume of its own for its token. */
const matters = ({ projected, configMap, secret, emptyDir, downwardAPI }: Frozen<Volume>): boolean => !(projected ?? configMap ?? secret ?? emptyDir ?? downwardAPI);

const withoutMounts = (container: Frozen<Container>): unknown => ({ ...container, volumeMounts: undefined });
