import { expect, test } from "bun:test";
import type { EtcdClient } from "../../storage/etcd/etcd-client.ts";
import { exchange } from "../../../test/support/http.ts";
import { admissionHandler, type ServerAnswer, type ServerQuestion } from "./admission.ts";

const url = (address: string, port = 2380): string => `https://${address}:${port}`;

/** Two servers that run, and the member of a third that was lost. */
function cluster() {
  const members = new Map([["one", "10.0.0.1"], ["two", "10.0.0.2"], ["lost", "10.0.0.3"]]), changes: string[] = [];
  const memberOf = ([name, address]: [string, string]) => ({ id: name, name, peerUrls: [url(address)], clientUrls: [url(address, 2379)] });
  const calls = {
    MemberList: () => ({ members: [...members].map(memberOf) }),
    MemberRemove: ({ id }: { id: string }) => {
      changes.push(`remove ${id}`);
      members.delete(id);
    },
    MemberAdd: ({ peerUrls }: { peerUrls: string[] }) => {
      changes.push(`add ${peerUrls.join()}`);
      const member = { id: "new", name: "", peerUrls };
      return { member, members: [...[...members].map(memberOf), member] };
    },
  };
  const client = { call: async (method: keyof typeof calls, request: never) => calls[method](request) } as unknown as EtcdClient;
  const handler = admissionHandler({ client, files: () => ({ token: "shared" }), secret: () => "secret", live: () => ["one", "two"], isAgent: (name) => name === "agent-1", outcome: () => ({ "cluster-domain": "cluster.local" }) });
  return {
    changes,
    async ask(question: ServerQuestion, secret = "secret"): Promise<ServerAnswer> {
      const { answer, done } = exchange(handler, { url: "/v1-skiff/servers", method: "POST", headers: { authorization: `Bearer ${secret}` }, body: JSON.stringify(question) });
      await done;
      return JSON.parse(answer.text()) as ServerAnswer;
    },
  };
}

test("a server is told who the others are, and gets what they share", async () => {
  const { ask, changes } = cluster();
  expect(await ask({ name: "four", peerUrl: url("10.0.0.4") })).toEqual({
    files: { token: "shared" }, endpoints: [url("10.0.0.1", 2379), url("10.0.0.2", 2379), url("10.0.0.3", 2379)],
    initialCluster: `one=${url("10.0.0.1")},two=${url("10.0.0.2")},lost=${url("10.0.0.3")},four=${url("10.0.0.4")}`,
  });
  expect(changes).toEqual([`add ${url("10.0.0.4")}`]);
});

test.each([["name", { name: "lost", peerUrl: url("10.0.0.9") }], ["address", { name: "four", peerUrl: url("10.0.0.3") }]])("one that comes anew with the %s of a lost one takes its place", async (_, question) => {
  const { ask, changes } = cluster();
  expect((await ask(question)).initialCluster).toBe(`one=${url("10.0.0.1")},two=${url("10.0.0.2")},${question.name}=${question.peerUrl}`);
  expect(changes).toEqual(["remove lost", `add ${question.peerUrl}`]);
});

test.each([
  ["the name of one that runs", { name: "one", peerUrl: url("10.0.0.4") }, "secret", "a server of this name runs"],
  ["the address of one that runs", { name: "four", peerUrl: url("10.0.0.1") }, "secret", "the server one runs at this address"],
  ["the name of an agent", { name: "agent-1", peerUrl: url("10.0.0.4") }, "secret", 'if it was that agent, run "kubectl delete node agent-1" first'],
  ["another token", { name: "four", peerUrl: url("10.0.0.4") }, "other", "the token is not the server token"],
  ["other settings", { name: "four", peerUrl: url("10.0.0.4"), given: { "cluster-domain": "site.example" } }, "secret", "--cluster-domain site.example is not what the cluster's other servers have, cluster.local"],
  ["no address", { name: "four", peerUrl: "http://example.com" }, "secret", "must be a server's"],
])("with %s nothing is changed", async (_, question, secret, sentence) => {
  const { ask, changes } = cluster();
  await expect(ask(question, secret)).rejects.toThrow(sentence);
  expect(changes).toEqual([]);
});
