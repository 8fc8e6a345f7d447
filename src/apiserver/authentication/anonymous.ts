import type { UserInfo } from "../../registry/attributes.ts";
import { allUnauthenticated, type Authenticator } from "./authenticator.ts";

const anonymous: UserInfo = { name: "system:anonymous", groups: [allUnauthenticated] };

/**
 * Who shows no credentials is `system:anonymous`: authorization decides how far that goes, which by default is health and version.
 * With `paths` only there, and nobody elsewhere.
 */
export const anonymousAuthenticator = (paths?: readonly string[]): Authenticator => ({ authenticate: (_request, path) => (!paths || paths.includes(path) ? anonymous : undefined) });
