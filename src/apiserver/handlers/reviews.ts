import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { badRequest, StatusError } from "../../apimachinery/status.ts";
import type { TokenReview, TokenReviewStatus } from "../../apis/generated/authentication/v1.ts";
import type { SelfSubjectRulesReview } from "../../apis/generated/authorization/v1.ts";
import type { PolicyRule } from "../../apis/generated/rbac/v1.ts";
import type { Reviews } from "../../registry/reviews.ts";
import { allAuthenticated, withGroup, type TokenAuthenticator } from "../authentication/authenticator.ts";
import type { RbacAuthorizer } from "../authorization/rbac.ts";

/** The reviews that need more than an authorizer's yes or no; they join the registry's access reviews. */
export function identityReviews({ rbac, tokens, audiences }: {
  rbac: RbacAuthorizer;
  tokens: readonly TokenAuthenticator[];
  /** The API server's own: what a token must be for when the review names none. */
  audiences: readonly string[];
}): Reviews {
  return {
    "selfsubjectrulesreviews.authorization.k8s.io": ({ user }, object) => {
      const { apiVersion, kind, spec } = object as SelfSubjectRulesReview;
      if (!spec?.namespace) throw badRequest("no namespace on request");
      const { rules, errors } = rbac.rulesFor(user, spec.namespace);
      return {
        apiVersion, kind, metadata: {}, spec: {},
        status: {
          resourceRules: rules.filter((rule) => !rule.nonResourceURLs?.length).map((rule) => copy(rule, ["verbs", "apiGroups", "resources", "resourceNames"])),
          nonResourceRules: rules.filter((rule) => rule.nonResourceURLs?.length).map((rule) => copy(rule, ["verbs", "nonResourceURLs"])),
          incomplete: errors.length > 0, ...(errors.length ? { evaluationError: errors.join(", ") } : {}),
        },
      } as KubeObject;
    },
    "tokenreviews.authentication.k8s.io": async (_, object) => {
      const review = object as TokenReview;
      if (!review.spec?.token) throw badRequest("token is required for TokenReview in authentication");
      return { ...review, status: await reviewToken(tokens, review.spec.token, review.spec.audiences?.length ? review.spec.audiences : audiences, audiences) } as KubeObject;
    },
  };
}

function copy<K extends keyof PolicyRule>(rule: Frozen<PolicyRule>, fields: readonly K[]): { verbs: string[] } & Pick<PolicyRule, K> {
  return Object.fromEntries(fields.filter((field) => rule[field]).map((field) => [field, rule[field]])) as { verbs: string[] } & Pick<PolicyRule, K>;
}

const unauthenticated: TokenReviewStatus = { user: {}, error: "invalid bearer token" };

async function reviewToken(kinds: readonly TokenAuthenticator[], token: string, wanted: readonly string[], own: readonly string[]): Promise<TokenReviewStatus> {
  try {
    for (const kind of kinds) {
      const found = await kind.authenticateToken(token, wanted);
      if (!found) continue;
      // A token that knows no audiences is for the API server.
      const audiences = found.audiences.length ? found.audiences : wanted.filter((audience) => own.includes(audience));
      if (audiences.length === 0) return unauthenticated;
      const { name, uid, groups, extra } = withGroup(found.user, allAuthenticated);
      return {
        authenticated: true, audiences: [...audiences],
        user: { username: name, ...(uid ? { uid } : {}), groups: [...groups], ...(extra ? { extra: Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, [...values]])) } : {}) },
      };
    }
    return unauthenticated;
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return unauthenticated;
  }
}
