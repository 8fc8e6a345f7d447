import { serviceUnavailable } from "../../../apimachinery/status.ts";
import { authority, pathOf, type ProxyTarget } from "../../../base/proxy/target.ts";
import { joinSocket, openUpgrade, UpgradeRefused, type Upgraded } from "../../../base/proxy/upgrade.ts";
import type { Exchange } from "../../exchange.ts";
import { forwardedHeaders, type TrustedTarget } from "./reverse-proxy.ts";

/** Repeats the upgrade towards the target and, once that agrees, joins both connections. */
export async function forwardUpgrade(exchange: Exchange, target: ProxyTarget | TrustedTarget): Promise<void> {
  const { request, response } = exchange;
  const tls = target.scheme === "https" ? ("tls" in target ? target.tls : { rejectUnauthorized: false }) : undefined;
  const headers = { ...("headers" in target ? target.headers : forwardedHeaders(exchange)), host: "authority" in target ? target.authority : authority(target), connection: "Upgrade", upgrade: request.headers["upgrade"]! };
  let upgraded: Upgraded;
  try {
    upgraded = await openUpgrade({ host: target.host, port: target.port, ...(tls ? { tls } : {}) }, { method: request.method, path: pathOf(target), headers }, request.signal);
  } catch (error) {
    throw serviceUnavailable(error instanceof UpgradeRefused ? `the server did not agree to upgrade: ${error.message}` : `error trying to reach service: ${(error as Error).message}`);
  }
  exchange.status = 101;
  joinSocket(response.upgrade(upgraded.headers), upgraded);
}
