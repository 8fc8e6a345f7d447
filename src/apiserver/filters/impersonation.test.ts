import { describe, expect, test } from "bun:test";
import { exchange } from "../../../test/support/http.ts";
import type { Authorizer, UserInfo } from "../../registry/attributes.ts";
import type { AuditRecord } from "../audit/auditor.ts";
import { newExchange, reply } from "../exchange.ts";
import { requestInfo } from "../request-info.ts";
import { withImpersonation } from "./impersonation.ts";

const alice: UserInfo = { name: "alice", groups: [] };
const agent: UserInfo = { name: "system:serviceaccount:kube-system:agent", groups: [], extra: { "authentication.kubernetes.io/node-name": ["n1"] } };

/** Who `url` is asked as, and by which constraint; or the refusal. `allowed`: `verb group/resource name` or `verb path`. */
async function ask(headers: Record<string, string | string[]>, allowed: readonly string[], { as = alice, url = "/api/v1/pods" } = {}): Promise<{ user?: UserInfo; constraint?: string; message?: string; asked: string[] }> {
  const asked: string[] = [];
  const decide = (text: string) => {
    asked.push(text);
    return { allowed: allowed.includes(text), reason: "" };
  };
  const authorizer: Authorizer = {
    authorize: ({ verb, group, resource, subresource, namespace, name }) => decide(`${verb} ${group}/${resource}${subresource && `/${subresource}`} ${namespace && `${namespace}/`}${name}`.trim()),
    authorizePath: ({ verb, path }) => decide(`${verb} ${path}`),
  };
  const fields = Object.fromEntries(Object.entries(headers).map(([name, values]) => [name, [values].flat().join(", ")]));
  const repeated = Object.fromEntries(Object.entries(headers).filter(([, values]) => Array.isArray(values))) as Record<string, string[]>;
  let user: UserInfo | undefined, constraint: string | undefined;
  const { done } = exchange(async (request, response) => {
    const each = newExchange({ ...request, headers: fields, repeated }, response);
    each.info = requestInfo("GET", url, new URLSearchParams());
    each.user = as;
    each.audit = { impersonated: (_, verb) => void (constraint = verb) } as AuditRecord;
    return withImpersonation({ authorizer })(each, (next) => {
      user = next.user;
      reply(next, 200, {});
    });
  }, { url });
  try {
    await done;
    return { user, constraint, asked };
  } catch (error) {
    return { message: (error as Error).message, asked };
  }
}

const bob = { "impersonate-user": "bob" };

describe("plain impersonation", () => {
  test("allows any request, and is asked last", async () => {
    expect(await ask(bob, ["impersonate /users bob"])).toEqual({ user: { name: "bob", groups: ["system:authenticated"] }, constraint: undefined, asked: ["impersonate-on:user-info:list /pods", "impersonate /users bob"] });
  });

  test("refusals are those of the first mode that is for such a user, in Kubernetes' words", async () => {
    const end = 'resource "pods" in API group "" at the cluster scope';
    expect((await ask(bob, [])).message).toBe(`pods is forbidden: User "alice" cannot impersonate-on:user-info:list ${end}`);
    expect((await ask(bob, [], { url: "/version" })).message).toBe('forbidden: User "alice" cannot impersonate-on:user-info:get path "/version"');
    expect((await ask({ "impersonate-user": "system:node:n1" }, [])).message).toBe(`pods is forbidden: User "alice" cannot impersonate-on:arbitrary-node:list ${end}`);
    expect((await ask({ "impersonate-user": "system:serviceaccount:a:b" }, [])).message).toBe(`pods is forbidden: User "alice" cannot impersonate-on:serviceaccount:list ${end}`);
    expect((await ask({ "impersonate-user": "system:serviceaccount:a:b", "impersonate-group": "g" }, [])).message).toBe('serviceaccounts "b" is forbidden: User "alice" cannot impersonate resource "serviceaccounts" in API group "" in the namespace "a"');
    expect((await ask({ "impersonate-user": "system:node:n1", "impersonate-uid": "u" }, [])).message).toBe('users "system:node:n1" is forbidden: User "alice" cannot impersonate resource "users" in API group "" at the cluster scope');
  });

  test("values may have commas and be repeated, and are UTF-8", async () => {
    const found = await ask({ "impersonate-user": Buffer.from("José").toString("latin1"), "impersonate-group": ["a, b", "c"], "impersonate-extra-acme.io%2fx": "1,2" }, ["impersonate /users José", "impersonate /groups a, b", "impersonate /groups c", "impersonate authentication.k8s.io/userextras/acme.io/x 1,2"]);
    expect(found.user).toEqual({ name: "José", groups: ["a, b", "c", "system:authenticated"], extra: { "acme.io/x": ["1,2"] } });
  });
});

describe("constrained impersonation", () => {
  const authn = "authentication.k8s.io", onList = "impersonate-on:user-info:list /pods", asBob = `impersonate:user-info ${authn}/users bob`;

  test("allows a user for some requests", async () => {
    expect(await ask(bob, [onList, asBob])).toMatchObject({ user: { name: "bob" }, constraint: "impersonate:user-info" });
    expect((await ask(bob, [onList, asBob], { url: "/api/v1/secrets" })).message).toContain("cannot impersonate-on:user-info:list");
    expect((await ask(bob, [onList])).message).toContain('cannot impersonate:user-info resource "users" in API group "authentication.k8s.io"');
  });

  test("never gives system:masters, nor groups and keys without a name", async () => {
    const all = [onList, asBob, `impersonate:user-info ${authn}/groups system:masters`];
    expect((await ask({ ...bob, "impersonate-group": "system:masters" }, all)).message).toContain("impersonating the system:masters group is not allowed");
    expect((await ask({ ...bob, "impersonate-group": "" }, all)).message).toContain("impersonating the empty string group is not allowed");
    expect((await ask({ ...bob, "impersonate-extra-scopes": "x" }, all)).message).toContain('impersonating an invalid key in extra is not allowed: extra.key: Invalid value: "scopes": must be a domain-prefixed path (such as "acme.io/foo")');
  });

  test("of many groups asks for all at once first", async () => {
    const headers = { ...bob, "impersonate-group": ["a", "b", "c", "d"] };
    expect((await ask(headers, [onList, asBob, `impersonate:user-info ${authn}/groups *`])).user?.groups).toEqual(["a", "b", "c", "d", "system:authenticated"]);
    expect((await ask(headers, [onList, asBob, ...["a", "b", "c", "d"].map((group) => `impersonate:user-info ${authn}/groups ${group}`)])).constraint).toBe("impersonate:user-info");
  });

  test("of nodes and accounts has modes of its own, and groups that go with them", async () => {
    const node = { "impersonate-user": "system:node:n1" };
    expect(await ask(node, ["impersonate-on:arbitrary-node:list /pods", `impersonate:arbitrary-node ${authn}/nodes n1`])).toMatchObject({ user: { groups: ["system:nodes", "system:authenticated"] }, constraint: "impersonate:arbitrary-node" });
    expect(await ask({ "impersonate-user": "system:serviceaccount:a:b" }, ["impersonate-on:serviceaccount:list /pods", `impersonate:serviceaccount ${authn}/serviceaccounts a/b`])).toMatchObject({ user: { groups: ["system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated"] }, constraint: "impersonate:serviceaccount" });
    const own = ["impersonate-on:associated-node:list /pods", `impersonate:associated-node ${authn}/nodes *`];
    expect(await ask(node, own, { as: agent })).toMatchObject({ user: { name: "system:node:n1" }, constraint: "impersonate:associated-node" });
    expect((await ask({ "impersonate-user": "system:node:n2" }, own, { as: agent })).message).toContain("impersonate-on:arbitrary-node");
    expect((await ask(node, own)).message).toContain("impersonate-on:arbitrary-node");
  });
});

test("only groups are no request", async () => {
  expect((await ask({ "impersonate-group": "x" }, [])).message).toBe('requested &user.DefaultInfo{Name:"", UID:"", Groups:[]string{"x"}, Extra:map[string][]string(nil)} without impersonating a user name');
});
