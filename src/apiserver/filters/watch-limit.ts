import { tooManyRequests } from "../../apimachinery/status.ts";
import type { Exchange, ExchangeHandler, Filter } from "../exchange.ts";

/** Refuses watches of users who have this many open already: each costs memory for as long as it lasts. */
export function withWatchLimit({ perUser }: { perUser: number }): Filter {
  const open = new Map<string, number>();
  return (exchange, next) => (exchange.info.verb === "watch" ? limited(exchange, next) : next(exchange));

  async function limited(exchange: Exchange, next: ExchangeHandler): Promise<void> {
    const { name } = exchange.user;
    const held = open.get(name) ?? 0;
    if (held >= perUser) throw tooManyRequests(`user ${JSON.stringify(name)} has ${held} watches open, which is as many as one may have`, 10);
    open.set(name, held + 1);
    try {
      await next(exchange);
    } finally {
      const left = open.get(name)! - 1;
      if (left > 0) open.set(name, left);
      else open.delete(name);
    }
  }
}
