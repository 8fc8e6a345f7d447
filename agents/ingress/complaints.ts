import type { Clock } from "../../src/base/clock.ts";
import type { EventRecorder } from "../../src/client/recorder.ts";
import type { Problem } from "./routes.ts";

/** An Ingress comes before the Secret and the Service that it names when one file brings them all: that is no problem. Milliseconds. */
const settleMs = 2_000;

/** Tells the authors of Ingresses by Events what can't be done, once it has lasted a moment; each problem once, until it has gone. */
export class Complaints {
  /** Those of now, by what makes them the same. */
  #current = new Map<string, Problem>();
  constructor(private readonly options: { recorder: EventRecorder; clock: Clock }) {}

  /** All that there is to complain about at the moment. */
  set(problems: readonly Problem[]): void {
    const before = this.#current;
    this.#current = new Map(problems.map((problem) => [`${problem.ingress.metadata.uid} ${problem.message}`, problem]));
    for (const [id, known] of before) if (this.#current.has(id)) this.#current.set(id, known);
    const fresh = [...this.#current].filter(([id]) => !before.has(id));
    if (fresh.length > 0) void this.options.clock.sleep(settleMs).then(() => this.#tell(fresh));
  }

  #tell(fresh: readonly (readonly [string, Problem])[]): void {
    for (const [id, problem] of fresh) if (this.#current.get(id) === problem) this.options.recorder.event(problem.ingress, "Warning", problem.reason, problem.message);
  }
}
