import { expect, test } from "bun:test";
import { exchange } from "../../../test/support/http.ts";
import { newExchange, type ExchangeHandler } from "../exchange.ts";
import { withRecovery } from "./recovery.ts";

/** The answer's status, and what was logged, of a request whose handling fails so. */
async function failing(handler: ExchangeHandler): Promise<[status: number, logged: string[]]> {
  const logged: string[] = [];
  const log = { debug() {}, info() {}, warn() {}, error: (text: string) => void logged.push(text) };
  const { answer, done } = exchange((request, response) => withRecovery({ log })(newExchange(request, response), handler), { url: "/" });
  await done;
  return [answer.status, logged];
}

test("a client's malformed URL is answered without a word in the log; what is our fault is told there", async () => {
  expect(await failing(() => void decodeURIComponent("%zz"))).toEqual([400, []]);
  expect(await failing(() => { throw new TypeError("broken"); })).toEqual([500, ["request failed"]]);
});
