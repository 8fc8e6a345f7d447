import { StatusError } from "../../../src/apimachinery/status.ts";
import type { Clock } from "../../../src/base/clock.ts";
import type { ValueKeeper } from "../../../src/client/object-keeper.ts";
import { isServerAway } from "../../../src/client/outage.ts";
import { patienceMs } from "../../../src/client/reflecting-informers.ts";

/** Asks the server what only it can say, and falls back to what it said last while it doesn't answer. */
export class KeptAnswers {
  constructor(private readonly options: { clock: Clock; values?: ValueKeeper }) {}

  /**
   * The server's answer, which is kept under `name`: JSON; or the last one, marked as old, when the server is away or takes long. Without a
   * last one, the server is waited for. Rejects with the server's refusal, or when there is no answer at all.
   */
  async ask<T>(name: string, question: () => Promise<T | undefined>): Promise<{ answer: T | undefined; isOld?: boolean }> {
    const last = this.last<T>(name);
    const asked = question().then((answer) => {
      this.options.values?.set(name, answer === undefined ? undefined : JSON.stringify(answer));
      return { answer };
    });
    if (last === undefined) return asked;
    const answered = new AbortController();
    const late = this.options.clock.sleep(patienceMs, answered.signal).then(() => ({ answer: last, isOld: true }));
    late.catch(() => {});
    try {
      return await Promise.race([asked, late]);
    } catch (error) {
      if (!isServerAway(error) && !isUnauthorized(error)) throw error;
      return { answer: last, isOld: true };
    } finally {
      answered.abort();
      asked.catch(() => {});
    }
  }

  last<T>(name: string): T | undefined {
    const text = this.options.values?.get(name);
    return text === undefined ? undefined : JSON.parse(text) as T;
  }

  forget(prefix: string): void {
    this.options.values?.forget(prefix);
  }
}

/** A node whose certificate has expired is no stranger: it is about to get another. */
const isUnauthorized = (error: unknown): boolean => error instanceof StatusError && error.code === 401;
