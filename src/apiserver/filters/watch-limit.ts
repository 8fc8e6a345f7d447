import { tooManyRequests } from "../../apimachinery/status.ts";
import type { Filter } from "../exchange.ts";

/** Refuses watches of users who have this many open already: each costs memory for as long as it lasts. */
export function withWatchLimit({ perUser }: { perUser: number }): Filter {
  const open = new Map<string, number>();
  return async (exchange, next) => {
    if (exchange.info.verb !== "watch") return next(exchange);
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
  };
}
