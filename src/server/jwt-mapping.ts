import type { JWTPayload } from "jose";
import { duplicate, invalidValue, required, type FieldError } from "../apimachinery/field-errors.ts";
import { unauthorized } from "../apimachinery/status.ts";
import { credentialOf, groupsOf, nameOf, requireClaims, uidOf } from "../apiserver/authentication/oidc-claims.ts";
import { domainPrefixedPath } from "../apis/core/field-rules.ts";
import { requestType } from "../cel/admission/environment.ts";
import type { Program } from "../cel/cel.ts";
import { compile } from "../cel/compile.ts";
import { createEnvironment, type Environment } from "../cel/environment.ts";
import { boolType, dynType, isDyn, listType, mapType, sameType, stringType, type CelType } from "../cel/type.ts";
import { jsonOf, valueOf } from "../cel/values/json.ts";
import type { UserInfo } from "../registry/attributes.ts";

interface ClaimOrExpression {
  claim?: string;
  prefix?: string;
  expression?: string;
}

/** apiserver.config.k8s.io/v1 JWTAuthenticator, without its issuer. */
export interface JwtMapping {
  claimValidationRules?: { claim?: string; requiredValue?: string; expression?: string; message?: string }[];
  claimMappings?: { username?: ClaimOrExpression; groups?: ClaimOrExpression; uid?: ClaimOrExpression; extra?: { key?: string; valueExpression?: string }[] };
  userValidationRules?: { expression?: string; message?: string }[];
}

const userInfoType = requestType.fields!.get("userInfo")!.decl;
const reserved = /^(?:[^/]*\.)?(?:k8s|kubernetes)\.io\//;

/**
 * Makes a mapping's expressions runnable and says what is wrong with it, at `path`. The function takes the user from a good token's claims,
 * and throws 401 when a rule does not hold. Source: k8s.io/apiserver/pkg/apis/apiserver/validation and plugin/pkg/authenticator/token/oidc.
 */
export function compileJwtMapping({ claimValidationRules = [], claimMappings: { username = {}, groups = {}, uid = {}, extra = [] } = {}, userValidationRules = [] }: JwtMapping, path: string): { errors: FieldError[]; userOf(claims: JWTPayload): UserInfo } {
  const errors: FieldError[] = [];
  const claimsEnvironment = createEnvironment({ variables: { claims: mapType(stringType, dynType) } }), userEnvironment = createEnvironment({ variables: { user: userInfoType } });
  const program = (source: string | undefined, at: string, types: readonly CelType[], environment: Environment): Program | undefined => {
    if (!source) return undefined;
    const compiled = compile(source, environment);
    if (!compiled.program) errors.push(invalidValue(at, source, `compilation failed: ${compiled.issues}`));
    else if (!isDyn(compiled.program.type) && !types.some((type) => sameType(type, compiled.program!.type))) errors.push(invalidValue(at, source, `must evaluate to ${types.map(({ name }) => name).join(" or ")}`));
    return compiled.program;
  };
  const mapped = (mapping: ClaimOrExpression, name: string, types: readonly CelType[]): Program | undefined => {
    const at = `${path}.claimMappings.${name}`;
    if (mapping.claim && mapping.expression) errors.push(invalidValue(at, "", "claim and expression can't both be set"));
    if (mapping.expression && mapping.prefix !== undefined) errors.push(invalidValue(`${at}.prefix`, mapping.prefix, "may not be specified when expression is set"));
    if (mapping.claim && mapping.prefix === undefined && name !== "uid") errors.push(required(`${at}.prefix`, "prefix is required when claim is set. It can be set to an empty string to disable prefixing"));
    return program(mapping.expression, `${at}.expression`, types, claimsEnvironment);
  };
  if (!username.claim && !username.expression) errors.push(required(`${path}.claimMappings.username`, "claim or expression is required"));
  const name = mapped(username, "username", [stringType]), groupList = mapped(groups, "groups", [stringType, listType(stringType), listType(dynType)]), id = mapped(uid, "uid", [stringType]);
  const extras = extra.map(({ key = "", valueExpression }, i) => {
    const at = `${path}.claimMappings.extra[${i}]`;
    errors.push(...domainPrefixedPath(`${at}.key`, key));
    if (key !== key.toLowerCase()) errors.push(invalidValue(`${at}.key`, key, "must be lowercase"));
    if (reserved.test(key)) errors.push(invalidValue(`${at}.key`, key, "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use"));
    if (extra.findIndex((other) => other.key === key) < i) errors.push(duplicate(`${at}.key`, key));
    if (!valueExpression) errors.push(required(`${at}.valueExpression`));
    return { key, value: program(valueExpression, `${at}.valueExpression`, [stringType, listType(stringType), listType(dynType)], claimsEnvironment) };
  });
  const claimRules = claimValidationRules.map(({ claim, requiredValue = "", expression, message }, i) => {
    const at = `${path}.claimValidationRules[${i}]`;
    if (claim && expression) errors.push(invalidValue(at, claim, "claim and expression can't both be set"));
    if (!claim && !expression) errors.push(required(at, "claim or expression is required"));
    if (claim && message) errors.push(invalidValue(`${at}.message`, message, "may not be specified when claim is set"));
    if (expression && requiredValue) errors.push(invalidValue(`${at}.requiredValue`, requiredValue, "may not be specified when expression is set"));
    return { claim, requiredValue, program: program(expression, `${at}.expression`, [boolType], claimsEnvironment) };
  });
  const userRules = userValidationRules.map(({ expression }, i) => {
    if (!expression) errors.push(required(`${path}.userValidationRules[${i}].expression`));
    return program(expression, `${path}.userValidationRules[${i}].expression`, [boolType], userEnvironment);
  });
  const mentions = (field: string, ...sources: (string | undefined)[]): boolean => sources.some((source) => source !== undefined && new RegExp(`claims\\.\\??${field}\\b|claims\\[['"]${field}['"]\\]`).test(source));
  if (mentions("email", username.expression) && !mentions("email_verified", username.expression, ...extra.map(({ valueExpression }) => valueExpression), ...claimValidationRules.map(({ expression }) => expression))) {
    errors.push(invalidValue(`${path}.claimMappings.username.expression`, username.expression, "claims.email_verified must be used in claimMappings.username.expression or claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in claimMappings.username.expression"));
  }

  const requiredClaims = Object.fromEntries(claimRules.flatMap(({ claim, requiredValue }) => (claim ? [[claim, requiredValue] as const] : [])));
  return {
    errors,
    userOf(claims) {
      const given = { claims: () => valueOf(claims) };
      for (const rule of claimRules) if (rule.program && run(rule.program, given) !== true) throw unauthorized();
      requireClaims(claims, requiredClaims);
      const own = extras.map(({ key, value }) => [key, texts(run(value!, given))] as const).filter(([, values]) => values.length > 0);
      const uidText = id ? text(run(id, given)) : uidOf(claims, uid.claim);
      const user: UserInfo = {
        name: name ? text(run(name, given)) : (username.prefix ?? "") + nameOf(claims, username.claim!), ...(uidText ? { uid: uidText } : {}),
        groups: groupList ? texts(run(groupList, given)) : groupsOf(claims, groups.claim).map((group) => (groups.prefix ?? "") + group),
        ...(own.length || claims.jti ? { extra: { ...Object.fromEntries(own), ...credentialOf(claims).extra } } : {}),
      };
      if (user.name === "") throw unauthorized();
      const asked = { user: () => valueOf({ username: user.name, uid: user.uid ?? "", groups: user.groups, extra: user.extra ?? {} }, userInfoType) };
      for (const rule of userRules) if (run(rule!, asked) !== true) throw unauthorized();
      return user;
    },
  };
}

function run(program: Program, given: Parameters<Program["evaluate"]>[0]): unknown {
  const { value, error } = program.evaluate(given);
  if (error !== undefined) throw unauthorized();
  return jsonOf(value);
}

function text(value: unknown): string {
  if (typeof value !== "string") throw unauthorized();
  return value;
}

/** One text or a list of them; nothing for none. */
function texts(value: unknown): string[] {
  if (value === null || value === undefined || value === "") return [];
  return (Array.isArray(value) ? value : [value]).map(text);
}
