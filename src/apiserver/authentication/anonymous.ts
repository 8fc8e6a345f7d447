import type { UserInfo } from "../../registry/attributes.ts";
import { allUnauthenticated, type Authenticator } from "./authenticator.ts";

const anonymous: UserInfo = { name: "system:anonymous", groups: [allUnauthenticated] };

/** Who shows no credentials is `system:anonymous`: authorization decides how far that goes, which by default is health and version. */
export const anonymousAuthenticator: Authenticator = { authenticate: () => anonymous };
