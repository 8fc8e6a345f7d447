import type { Frozen } from "../apimachinery/meta.ts";
import type { TokenRequest } from "../apis/generated/authentication/v1.ts";
import type { ServiceAccount } from "../apis/generated/core/v1.ts";

/** Signs service-account tokens; the API server's authentication part implements it, serviceaccounts/token calls it. */
export interface TokenIssuer {
  /** Default audiences for a request that names none. */
  readonly audiences: readonly string[];
  issue(request: {
    serviceAccount: Frozen<ServiceAccount>;
    audiences: readonly string[];
    expirationSeconds: number;
    /** The object the token dies with, already checked to exist. */
    bound?: { kind: "Pod" | "Secret" | "Node"; name: string; uid: string };
  }): Promise<NonNullable<TokenRequest["status"]>>;
}
