import type { UserInfo } from "../../registry/attributes.ts";
import { allUnauthenticated, type Authenticator } from "./authenticator.ts";

const anonymous: UserInfo = { name: "system:anonymous", groups: [allUnauthenticated] };
const openPaths = ["/healthz", "/livez", "/readyz", "/version", "/api", "/apis", "/openapi"];

/**
 * Who has no credentials is `system:anonymous`, on the paths of health, version and discovery alone (authorization still decides there);
 * elsewhere the answer is 401.
 */
export function anonymousAuthenticator({ paths = openPaths }: { paths?: readonly string[] } = {}): Authenticator {
  return {
    authenticate: (_request, path) => (paths.some((open) => path === open || (path.startsWith(`${open}/`) && !isObjectPath(path))) ? anonymous : undefined),
  };
}

/** `/api/v1/…` and `/apis/GROUP/VERSION/…` hold objects; what is above them is discovery. */
const isObjectPath = (path: string): boolean => /^\/(?:api\/[^/]+|apis\/[^/]+\/[^/]+)\/./.test(path);
