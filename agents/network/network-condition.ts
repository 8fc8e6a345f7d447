import { formatTime } from "../../src/apimachinery/time.ts";
import type { Frozen } from "../../src/apimachinery/meta.ts";
import { nodes } from "../../src/apis/core/node.ts";
import type { Node } from "../../src/apis/generated/core/v1.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { Logger } from "../../src/base/log.ts";
import { Runner } from "../../src/base/runner.ts";
import type { Client } from "../../src/client/client.ts";

const minIntervalMs = 1000;

export interface NetworkVerdict {
  problem?: string;
}

/**
 * Keeps the Node's condition NetworkUnavailable: with "True" the control plane taints the node, and the scheduler leaves it alone.
 * https://kubernetes.io/docs/reference/node/node-status/#condition
 */
export class NetworkCondition {
  #verdict: NetworkVerdict | undefined;
  readonly #runner: Runner;
  constructor(private readonly options: { client: Client; nodeName: string; node(): Frozen<Node> | undefined; clock: Clock; log: Logger }) {
    const { clock, log } = options;
    this.#runner = new Runner({ clock, minInterval: minIntervalMs, run: () => this.#write(), onError: (error, failures) => log.debug("The state of the pod network could not be told", { failures, error }) });
  }

  /** What the condition is to be from now on. To be called again when the Node changes: others may have written it. */
  set(verdict: NetworkVerdict): void {
    this.#verdict = verdict;
    if (this.#difference()) this.#runner.trigger();
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#runner.run(signal);
  }

  async #write(): Promise<void> {
    const condition = this.#difference();
    if (!condition) return;
    const { client, nodeName, clock } = this.options, time = formatTime(clock.now());
    const body = { status: { conditions: [{ ...condition, lastTransitionTime: time, lastHeartbeatTime: time }] } };
    await client.patch(nodes, { name: nodeName }, { type: "application/strategic-merge-patch+json", body }, { subresource: "status" });
  }

  /** What is to be written; undefined while there is no Node, and when it says so already. */
  #difference(): { type: string; status: string; reason: string; message: string } | undefined {
    const node = this.options.node();
    if (!node || !this.#verdict) return undefined;
    const { problem } = this.#verdict;
    const wanted = { type: "NetworkUnavailable", ...(problem ? { status: "True", reason: "PodNetworkNotReady", message: problem } : { status: "False", reason: "PodNetworkReady", message: "the pod network is set up on this node" }) };
    const said = node.status?.conditions?.find(({ type }) => type === wanted.type);
    return said?.status === wanted.status && said.reason === wanted.reason && said.message === wanted.message ? undefined : wanted;
  }
}
