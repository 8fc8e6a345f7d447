import { matchesLabels, type Selector } from "../../apimachinery/selectors/labels.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";

/** Which pods each autoscaler has been seen to scale: two that share a pod would pull it both ways. */
export class SelectorClaims {
  /** By namespace, then by the autoscaler's name. */
  readonly #claims = new Map<string, Map<string, Selector>>();

  claim({ namespace, name }: { namespace: string; name: string }, selector: Selector): void {
    const claims = this.#claims.get(namespace) ?? new Map<string, Selector>();
    this.#claims.set(namespace, claims.set(name, selector));
  }

  forget({ namespace, name }: { namespace: string; name: string }): void {
    const claims = this.#claims.get(namespace);
    claims?.delete(name);
    if (claims?.size === 0) this.#claims.delete(namespace);
  }

  /** The autoscalers that claim any of the pods, which are of one namespace, as `namespace/name`. */
  of(namespace: string, pods: readonly Frozen<Pod>[]): string[] {
    const claims = [...(this.#claims.get(namespace) ?? [])];
    return claims.filter(([, selector]) => pods.some(({ metadata }) => matchesLabels(selector, metadata.labels))).map(([name]) => `${namespace}/${name}`).toSorted();
  }
}
