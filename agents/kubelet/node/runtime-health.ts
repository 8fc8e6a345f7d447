import type { RuntimeStatus } from "../../cri/generated/messages.ts";

/** As long as Kubernetes waits (maxWaitForContainerRuntime): a runtime that restarts, or is slow on a busy disk, takes no pod out of its Services. */
export const runtimeSilenceMs = 30_000;

/** What is believed of the runtime: its last answer, until it has been silent for too long. */
export class RuntimeHealth {
  #last?: { status: RuntimeStatus; at: number };

  answered(status: RuntimeStatus, now: number): { runtime: RuntimeStatus } {
    this.#last = { status, at: now };
    return { runtime: status };
  }

  failed(error: unknown, now: number): { runtime?: RuntimeStatus; runtimeError: string } {
    const believed = this.#last && now - this.#last.at < runtimeSilenceMs ? this.#last.status : undefined;
    return { runtime: believed, runtimeError: error instanceof Error ? error.message : String(error) };
  }
}
