import { unauthorized } from "../../apimachinery/status.ts";
import { authenticated, type Authenticator } from "../authentication/authenticator.ts";
import type { Filter } from "../exchange.ts";

/**
 * Asks each authenticator in order. Bad tokens are refused where they are read and bad certificates here; they never make a request
 * anonymous, which is for those who showed neither.
 */
export function withAuthentication({ authenticators, anonymous }: { authenticators: readonly Authenticator[]; anonymous?: Authenticator }): Filter {
  return async (exchange, next) => {
    for (const authenticator of authenticators) {
      const found = authenticator.authenticate(exchange.request, exchange.path);
      const user = found instanceof Promise ? await found : found;
      if (!user) continue;
      exchange.user = authenticated(user);
      return next(exchange);
    }
    const user = exchange.request.peerError !== undefined || exchange.request.peer !== undefined ? undefined : await anonymous?.authenticate(exchange.request, exchange.path);
    if (!user) throw unauthorized();
    exchange.user = user;
    return next(exchange);
  };
}
