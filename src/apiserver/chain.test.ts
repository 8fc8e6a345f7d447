import { expect, test } from "bun:test";
import { createMetrics } from "../base/metrics.ts";
import type { Authorizer } from "../registry/attributes.ts";
import { exchange, type ExchangeOptions } from "../../test/support/http.ts";
import { anonymousAuthenticator } from "./authentication/anonymous.ts";
import { staticTokenAuthenticator, tokenHash } from "./authentication/static-token.ts";
import { bearerTokenAuthenticator } from "./authentication/bearer-token.ts";
import { buildHandlerChain } from "./chain.ts";
import { newExchange, reply, type ExchangeHandler } from "./exchange.ts";

const seen: string[] = [];
const authorizer: Authorizer = {
  authorize: ({ verb, resource, namespace, name }) => ({ allowed: resource !== "secrets", reason: `${verb} ${resource} ${namespace}/${name}` }),
  authorizePath: ({ user, path }) => {
    seen.push(`${user.name} ${path}`);
    return { allowed: path !== "/metrics", reason: "" };
  },
};
const log = { debug() {}, info() {}, warn() {}, error() {} };

function run(handler: ExchangeHandler, options: ExchangeOptions, anonymous: boolean | string[] = true, requestTimeoutMs = 30_000): ReturnType<typeof exchange> {
  const chain = buildHandlerChain(handler, {
    authenticators: [bearerTokenAuthenticator([staticTokenAuthenticator({ userOf: (hash) => (hash === tokenHash("good") ? { name: "ann", groups: ["dev"] } : undefined) })])],
    ...(anonymous ? { anonymous: anonymousAuthenticator(anonymous === true ? undefined : anonymous) } : {}), authorizer, metrics: createMetrics(), isKnown: () => true, log, requestTimeoutMs,
  });
  return exchange((request, response) => chain(newExchange(request, response)), options);
}
const who: ExchangeHandler = (each) => reply(each, 200, {}, `${each.user.name} ${each.user.groups.join(",")}`);
const good = { authorization: "Bearer good" };

test("a token makes a user, and all users are authenticated", async () => {
  const { answer, done } = run(who, { url: "/version", headers: good });
  await done;
  expect(answer.text()).toBe("ann dev,system:authenticated");
});

test.each([
  ["nothing", {}, "system:anonymous system:unauthenticated", 401], ["another scheme", { authorization: "Basic YTpi" }, "system:anonymous system:unauthenticated", 401],
  ["an empty token", { authorization: "Bearer " }, "system:anonymous system:unauthenticated", 401], ["a bad token", { authorization: "Bearer bad" }, 401, 401],
] as const)("who shows %s, where anonymous requests are let in and where not", async (_, headers, open, closed) => {
  const outcome = async (anonymous: boolean): Promise<string | number> => {
    const { answer, done } = run(who, { url: "/version", headers }, anonymous);
    await done;
    return answer.status === 200 ? answer.text() : answer.status;
  };
  expect([await outcome(true), await outcome(false)]).toEqual([open, closed]);
});

test("anonymous requests may be let in to some paths only", async () => {
  const status = async (url: string): Promise<number> => {
    const { answer, done } = run(who, { url }, ["/version"]);
    await done;
    return answer.status;
  };
  expect([await status("/version"), await status("/version/"), await status("/healthz")]).toEqual([200, 401, 401]);
});

test.each([["/apis/%2e%2e/metrics"], ["/healthz/../metrics"], ["//metrics"]])("%s is authorized as the path it is", async (url) => {
  seen.length = 0;
  await run(who, { url, headers: good }).done;
  expect(seen).toEqual([`ann ${decodeURIComponent(url)}`]);
});

test("a handler that takes too long is answered for, and its own answer goes unheard", async () => {
  const finished = Promise.withResolvers<void>();
  const { answer, done } = run(async (each) => {
    await Bun.sleep(60);
    reply(each, 200, {}, "late");
    finished.resolve();
  }, { url: "/version", headers: good }, true, 20);
  await done;
  await finished.promise;
  expect([answer.status, JSON.parse(answer.text())]).toMatchObject([504, { reason: "Timeout", message: "Timeout: request did not complete within the allotted timeout" }]);
});

test("what a handler throws is logged, not told", async () => {
  const { answer, done } = run(() => {
    throw new Error("password=hunter2");
  }, { url: "/version", headers: good });
  await done;
  expect([answer.status, answer.text().includes("hunter2")]).toEqual([500, false]);
});

test("a stream that had begun is broken off by the front", () => {
  const { done } = run((each) => {
    each.response.stream(200, {}).write("half");
    throw new Error("broken");
  }, { url: "/version", headers: good });
  return expect(done).rejects.toThrow("broken");
});

test("the authorizer's reason ends the message", async () => {
  const { answer, done } = run(who, { url: "/api/v1/namespaces/a/secrets/b", headers: good });
  await done;
  expect(JSON.parse(answer.text()).message).toBe('secrets "b" is forbidden: User "ann" cannot get resource "secrets" in API group "" in the namespace "a": get secrets a/b');
});

test("impersonating only groups is no request", async () => {
  const { answer, done } = run(who, { url: "/version", headers: { ...good, "impersonate-group": "x" } });
  await done;
  expect(answer.status).toBe(400);
});

test("impersonation takes the groups given, else those a service account has", async () => {
  const named = run(who, { url: "/version", headers: { ...good, "impersonate-user": "bob", "impersonate-group": "a, b" } });
  await named.done;
  expect(named.answer.text()).toBe("bob a, b,system:authenticated");
  const account = run(who, { url: "/version", headers: { ...good, "impersonate-user": "system:serviceaccount:ns:sa" } });
  await account.done;
  expect(account.answer.text()).toBe("system:serviceaccount:ns:sa system:serviceaccounts,system:serviceaccounts:ns,system:authenticated");
});
