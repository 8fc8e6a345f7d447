import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { ContainerStatus, PodStatus } from "../../../src/apis/generated/core/v1.ts";
import type { Family } from "./exposition.ts";

const lists = { initContainerStatuses: "init_container", containerStatuses: "container", ephemeralContainerStatuses: "ephemeral_container" } as const;

/** Counts containers that ended, by what pods' statuses say before and after; `kubelet_terminated_containers_total`. */
export class Terminations {
  readonly #counts = new Map<string, { labels: Readonly<Record<string, string>>; value: number }>();

  changed(before: Frozen<PodStatus> | undefined, after: Frozen<PodStatus>): void {
    for (const [list, type] of Object.entries(lists) as [keyof typeof lists, string][]) {
      for (const { name, state } of after[list] ?? []) {
        if (state?.terminated && !hasEnded(before?.[list], name)) this.#count({ container_type: type, exit_code: String(state.terminated.exitCode), reason: state.terminated.reason ?? "" });
      }
    }
  }

  get family(): Family {
    return { name: "kubelet_terminated_containers_total", type: "counter", help: "Cumulative number of container terminations.", points: [...this.#counts.values()] };
  }

  #count(labels: Readonly<Record<string, string>>): void {
    const key = Object.values(labels).join("/"), series = this.#counts.get(key);
    if (series) series.value++;
    else this.#counts.set(key, { labels, value: 1 });
  }
}

const hasEnded = (statuses: Frozen<ContainerStatus[]> = [], name: string): boolean => statuses.some((status) => status.name === name && status.state?.terminated !== undefined);
