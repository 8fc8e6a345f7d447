import { render } from "../../apimachinery/field-errors.ts";
import { StatusError } from "../../apimachinery/status.ts";
import { domainPrefixedPath } from "../../apis/core/field-rules.ts";
import type { Authorizer, Decision, ResourceAttributes, UserInfo } from "../../registry/attributes.ts";
import { forbiddenBy, forbiddenPath } from "../../registry/authorize.ts";
import { allAuthenticated, allUnauthenticated, withGroup } from "../authentication/authenticator.ts";
import { serviceAccountUser } from "../authentication/service-account.ts";
import type { RequestInfo } from "../request-info.ts";

/** Whom a request asks to act as. */
export interface Wanted {
  name: string;
  groups: readonly string[];
  uid?: string;
  extra: Readonly<Record<string, readonly string[]>>;
}

interface Impersonated {
  user: UserInfo;
  /** The verb that constrained impersonation went by; absent for plain `impersonate`. */
  constraint?: string;
}

/** Constrained impersonation: the user may be impersonated, and the request be made so. */
interface Mode {
  name: string;
  applies(wanted: Wanted, requestor: UserInfo): boolean;
}

const associatedNode: Mode = { name: "associated-node", applies: (wanted, requestor) => isNameOnly(wanted) && isOwnNode(wanted.name, requestor) };
const modes: readonly Mode[] = [
  associatedNode,
  { name: "arbitrary-node", applies: (wanted) => isNameOnly(wanted) && nodeOf(wanted.name) !== undefined },
  { name: "serviceaccount", applies: (wanted) => isNameOnly(wanted) && accountOf(wanted.name) !== undefined },
  { name: "user-info", applies: ({ name }) => nodeOf(name) === undefined && accountOf(name) === undefined },
];

/**
 * Who the request goes on as, by the first mode that allows it: each constrained one that is for such a user, then `impersonate`, which
 * allows any request. Throws the refusal of the first that was asked.
 */
export function impersonate(authorizer: Authorizer, wanted: Wanted, requestor: UserInfo, info: RequestInfo): Impersonated {
  let refusal: StatusError | undefined;
  for (const attempt of [...modes.filter(({ applies }) => applies(wanted, requestor)).map((mode) => () => constrained(authorizer, mode, wanted, requestor, info)), () => plain(authorizer, wanted, requestor)]) {
    try {
      return attempt();
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      refusal ??= error;
    }
  }
  throw refusal!;
}

function constrained(authorizer: Authorizer, mode: Mode, wanted: Wanted, requestor: UserInfo, info: RequestInfo): Impersonated {
  // What is asked of an account for its own node holds for all its pods, wherever they run.
  const asking = mode === associatedNode ? { ...requestor, extra: { "authentication.kubernetes.io/associated-node-keys": Object.keys(requestor.extra ?? {}).sort() } } : requestor;
  const onVerb = `impersonate-on:${mode.name}:${info.verb}`, verb = `impersonate:${mode.name}`;
  if (info.isResource) {
    const { group, version, resource, subresource, namespace, name } = info;
    insist(authorizer, { user: asking, verb: onVerb, group, version, resource, subresource, namespace, name });
  } else {
    const path = { user: asking, verb: onVerb, path: info.path };
    const decision = authorizer.authorizePath(path);
    if (!decision.allowed) throw forbiddenPath(path, decision);
  }
  const node = nodeOf(wanted.name), target = { resource: "nodes", name: mode === associatedNode ? "*" : node };
  const { user, uid, groups, extra } = checks(wanted, authentication);
  const check = (...all: Partial<ResourceAttributes>[]): void => {
    for (const each of all) insist(authorizer, attributesOf(asking, verb, each));
  };
  /** Many are asked about at once first. */
  const checkMany = (each: readonly Partial<ResourceAttributes>[], all: Partial<ResourceAttributes>): void => {
    if (each.length < manyChecks || !authorizer.authorize(attributesOf(asking, verb, { ...each[0], ...all })).allowed) check(...each);
  };
  check(node === undefined ? user : { ...user, ...target }, ...uid);
  refuseGroups(wanted, (about, reason) => forbiddenBy(attributesOf(asking, verb, about), { allowed: false, reason }));
  checkMany(groups, { name: "*" });
  refuseExtra(wanted, (reason) => forbiddenBy(attributesOf(asking, verb, { group: authentication, resource: "userextras" }), { allowed: false, reason }));
  checkMany(extra, { subresource: "*", name: "*" });
  return { user: userOf(wanted, node === undefined ? wanted.groups : ["system:nodes"]), constraint: verb };
}

const manyChecks = 4;

function refuseGroups({ groups }: Wanted, refusal: (about: Partial<ResourceAttributes>, reason: string) => StatusError): void {
  const about = { group: authentication, resource: "groups" };
  if (groups.includes("")) throw refusal(about, "impersonating the empty string group is not allowed");
  if (groups.includes("system:masters")) throw refusal({ ...about, name: "system:masters" }, "impersonating the system:masters group is not allowed");
}

function refuseExtra({ extra }: Wanted, refusal: (reason: string) => StatusError): void {
  for (const [key, values] of Object.entries(extra)) {
    if (key === "") throw refusal("impersonating the empty string key in extra is not allowed");
    const wrong = domainPrefixedPath("extra.key", key).map(render);
    if (wrong.length) throw refusal(`impersonating an invalid key in extra is not allowed: ${wrong.length === 1 ? wrong[0]! : `[${wrong.join(", ")}]`}`);
    if (key !== key.toLowerCase()) throw refusal(`impersonating a non-lowercase key in extra is not allowed: ${JSON.stringify(key)}`);
    if (values.includes("")) throw refusal("impersonating the empty string value in extra is not allowed");
  }
}
function plain(authorizer: Authorizer, wanted: Wanted, requestor: UserInfo): Impersonated {
  const { user, uid, groups, extra } = checks(wanted, "");
  for (const check of [user, ...uid, ...groups, ...extra]) insist(authorizer, attributesOf(requestor, "impersonate", check));
  return { user: userOf(wanted, wanted.groups) };
}

function insist(authorizer: Authorizer, attributes: ResourceAttributes): void {
  const decision: Decision = authorizer.authorize(attributes);
  if (!decision.allowed) throw forbiddenBy(attributes, decision);
}

const attributesOf = (user: UserInfo, verb: string, check: Partial<ResourceAttributes>): ResourceAttributes => ({ user, verb, group: "", version: "v1", resource: "", subresource: "", namespace: "", name: "", ...check });

const authentication = "authentication.k8s.io";

/** What has to be allowed of each part of the user. `group`: the API group that users and groups are in. */
function checks({ name, groups, uid, extra }: Wanted, group: string): { user: Partial<ResourceAttributes> } & Record<"uid" | "groups" | "extra", Partial<ResourceAttributes>[]> {
  const account = accountOf(name);
  return {
    user: account ? { group, resource: "serviceaccounts", ...account } : { group, resource: "users", name },
    uid: uid ? [{ group: authentication, resource: "uids", name: uid }] : [],
    groups: groups.map((each) => ({ group, resource: "groups", name: each })),
    extra: Object.entries(extra).flatMap(([key, values]) => values.map((value) => ({ group: authentication, resource: "userextras", subresource: key, name: value }))),
  };
}

function userOf({ name, uid, extra }: Wanted, groups: readonly string[]): UserInfo {
  const account = accountOf(name);
  const implied = account && groups.length === 0 ? serviceAccountUser(account.namespace, account.name).groups : groups;
  const user: UserInfo = { name, groups: implied, ...(uid ? { uid } : {}), ...(Object.keys(extra).length ? { extra } : {}) };
  if (name === "system:anonymous") return withGroup(user, allUnauthenticated);
  return groups.includes(allUnauthenticated) ? user : withGroup(user, allAuthenticated);
}

const isNameOnly = ({ groups, uid, extra }: Wanted): boolean => groups.length === 0 && !uid && Object.keys(extra).length === 0;

function accountOf(name: string): { namespace: string; name: string } | undefined {
  const match = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name);
  return match ? { namespace: match[1]!, name: match[2]! } : undefined;
}

const nodePrefix = "system:node:";
/** Undefined also for what can't be a node's name. */
function nodeOf(name: string): string | undefined {
  const node = name.startsWith(nodePrefix) ? name.slice(nodePrefix.length) : "";
  return node.length <= 253 && /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/.test(node) ? node : undefined;
}

/** A pod's account, by a token that names the pod's node. */
function isOwnNode(name: string, { name: requestor, extra }: UserInfo): boolean {
  const nodes = extra?.["authentication.kubernetes.io/node-name"];
  return accountOf(requestor) !== undefined && nodes?.length === 1 && nodes[0] === nodeOf(name);
}
