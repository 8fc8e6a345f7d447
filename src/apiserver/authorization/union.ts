import type { Authorizer, Decision } from "../../registry/attributes.ts";

/** Allowed as soon as one of them allows; otherwise all reasons, in order. */
export function unionAuthorizer(authorizers: readonly Authorizer[]): Authorizer {
  function first(decide: (authorizer: Authorizer) => Decision): Decision {
    const reasons: string[] = [];
    for (const authorizer of authorizers) {
      const decision = decide(authorizer);
      if (decision.allowed) return decision;
      if (decision.reason) reasons.push(decision.reason);
    }
    return { allowed: false, reason: reasons.join("\n") };
  }
  return {
    authorize: (attributes) => first((authorizer) => authorizer.authorize(attributes)),
    authorizePath: (attributes) => first((authorizer) => authorizer.authorizePath(attributes)),
  };
}

const no: Decision = { allowed: false, reason: "" };

/** Members of one group may do anything: the way in when all roles are broken. */
export function privilegedGroup(group = "system:masters"): Authorizer {
  const yes: Decision = { allowed: true, reason: "" };
  return {
    authorize: ({ user }) => (user.groups.includes(group) ? yes : no),
    authorizePath: ({ user }) => (user.groups.includes(group) ? yes : no),
  };
}
