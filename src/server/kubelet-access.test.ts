import { expect, test } from "bun:test";
import { exchange } from "../../test/support/http.ts";
import { guardKubelet } from "./kubelet-access.ts";

/** The answer to a user who has `rights` on subresources of node-1, and all that was asked about. */
async function ask(path: string, rights: readonly string[], method = "GET") {
  const asked: string[] = [];
  const guarded = guardKubelet((_, response) => response.send(200, {}, "answer"), {
    nodeName: "node-1", authenticators: [{ authenticate: () => ({ name: "eve", groups: [] }) }],
    authorizer: {
      authorize: ({ verb, resource, name, subresource }) => {
        asked.push(`${verb} ${resource}/${subresource} ${name}`);
        return { allowed: rights.includes(subresource), reason: "" };
      },
    },
  });
  const { answer, done } = exchange(guarded, { url: path, method });
  await done;
  return { status: answer.status, text: answer.text(), asked };
}

test.each([
  ["/healthz", "healthz"], ["/healthz/ping", "healthz"], ["/pods", "pods"], ["/pods?limit=1", "pods"], ["/runningpods/", "pods"], ["/configz", "configz"],
])("%s is for those who may read %s, and for those who may use the whole API", async (path, narrow) => {
  expect((await ask(path, [narrow])).status).toBe(200);
  expect(await ask(path, ["proxy"])).toMatchObject({ status: 200, asked: [`get nodes/${narrow} node-1`, "get nodes/proxy node-1"] });
  expect((await ask(path, ["stats", "metrics", "log"])).status).toBe(403);
});

test.each([["/stats/summary", "stats"], ["/metrics/cadvisor", "metrics"], ["/logs/syslog", "log"]])("%s has a right of its own, %s, and no other counts", async (path, right) => {
  expect(await ask(path, [right])).toMatchObject({ status: 200, asked: [`get nodes/${right} node-1`] });
  expect((await ask(path, ["proxy", "pods", "healthz", "configz"])).status).toBe(403);
});

test("narrow rights lead to nothing else", async () => {
  for (const path of ["/exec/default/web/web?command=id", "/podsandmore", "/healthzz"]) expect((await ask(path, ["pods", "healthz", "configz"], "POST")).status).toBe(403);
});

test.each([
  "/metrics/../pods", "/metrics/%2e%2e/exec/default/web/web?command=id", "/stats/./../logs/syslog", "/%6cogs/syslog", "/metrics\\..\\pods", "//kubelet/pods", "http://kubelet/pods", "//", "",
])("a path that comes to another is nobody's: %s", async (path) => {
  expect(await ask(path, ["metrics", "stats", "proxy", "pods", "log"])).toMatchObject({ status: 400, asked: [] });
});

test("what is encoded further on is a name", async () => {
  expect((await ask("/logs/nginx%20%26%20co/a%3Cb", ["log"])).status).toBe(200);
});

test("who is refused reads which rights would do", async () => {
  expect(await ask("/pods", ["configz"])).toMatchObject({ status: 403, text: "Forbidden (user=eve, verb=get, resource=nodes, subresource(s)=[pods proxy])\n" });
});
