import { expect, test } from "bun:test";
import { skiffForThisFile } from "../support/e2e.ts";
import { eventually } from "../support/eventually.ts";
import { startProgram } from "../support/running.ts";
import { pod, service, shell } from "../support/workloads.ts";

const skiff = await skiffForThisFile();
const { kubectl, network } = skiff;

/** A name server in the world outside that answers every question for an address with one, and says what it was asked. */
const nameServer = startProgram(network.outside([process.execPath, "-e", `
  await Bun.udpSocket({ hostname: "${network.outsideIp}", port: 5300, socket: { data(socket, bytes, port, address) {
    const query = Buffer.from(bytes), end = query.indexOf(0, 12) + 5, isAddress = query[end - 3] === 1;
    console.log("asked " + query.subarray(12, end - 5).toString("latin1").replace(/[^a-z0-9-]/g, "."));
    const reply = Buffer.concat([query.subarray(0, end), isAddress ? Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 198, 51, 100, 7]) : Buffer.alloc(0)]);
    reply.writeUInt16BE(0x8180, 2); reply.writeUInt16BE(isAddress ? 1 : 0, 6); reply.writeUInt16BE(0, 10);
    socket.send(reply, port, address);
  } } });
  console.log("listening");`]));
await nameServer.until(/listening/);

const configure = (data: Record<string, string>): Promise<unknown> => kubectl.apply({ apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "kube-system", name: "skiff-dns" }, data });
const addresses = async (name: string, from = "client"): Promise<string[]> => {
  const { stdout } = await kubectl.outcome(["exec", from, "--", "nslookup", name]);
  return [...stdout.matchAll(/^Address(?: \d+)?:\s+(\S+)$/gm)].map((match) => match[1]!).filter((address) => !address.startsWith("10.43.0.10")).sort();
};

await kubectl.apply(pod("client", shell("sleep 1000")), pod("on-node", shell("sleep 1000"), { hostNetwork: true, dnsPolicy: "ClusterFirstWithHostNet" }), service("web"));
await kubectl("wait", "--for=condition=Ready", "pod/client", "pod/on-node", "--timeout=90s");
const webIp = (await kubectl.get("service", "web")).spec.clusterIP as string;

test("name servers, stub domains and hosts are taken from the ConfigMap, while it runs; a mistake changes nothing", async () => {
  await configure({ stubDomains: JSON.stringify({ "factory.example": [`${network.outsideIp}:5300`] }), hosts: "10.1.0.7 press press.factory.example\n" });
  await eventually(async () => expect(await addresses("robot.factory.example.")).toEqual(["198.51.100.7"]));
  expect(await addresses("press.factory.example.")).toEqual(["10.1.0.7"]);
  expect(await addresses("elsewhere.example.")).toEqual([]);
  await configure({ upstreamNameservers: JSON.stringify([`${network.outsideIp}:5300`]) });
  await eventually(async () => expect(await addresses("elsewhere.example.")).toEqual(["198.51.100.7"]));
  await configure({ upstreamNameservers: "somewhere" });
  await eventually(() => expect(skiff.log()).toContain("the ConfigMap kube-system/skiff-dns has a mistake"));
  expect(await addresses("another.example.")).toEqual(["198.51.100.7"]);
});

test("names of Services, partly written ones too, from pods and from pods on the node's network", async () => {
  for (const from of ["client", "on-node"]) expect(await addresses("web.default.svc.cluster.local.", from)).toEqual([webIp]);
  expect(await kubectl("exec", "on-node", "--", "cat", "/etc/resolv.conf")).toContain("nameserver 10.43.0.10");
  const ping = await kubectl.outcome(["exec", "client", "--", "ping", "-c", "1", "-W", "1", "web"]);
  expect(ping.stdout).toContain(`PING web (${webIp})`);
});

test("an ExternalName Service is an alias, with the address it leads to, until it is something else", async () => {
  await kubectl.apply(service("partner", { type: "ExternalName", externalName: "www.partner.example", selector: undefined, ports: undefined }));
  await eventually(async () => expect(await addresses("partner.default.svc.cluster.local.")).toEqual(["198.51.100.7"]));
  await kubectl("patch", "service", "partner", "--type=merge", "-p", JSON.stringify({ spec: { type: "ClusterIP", externalName: null, ports: [{ port: 80 }] } }));
  const { spec } = await kubectl.get("service", "partner");
  await eventually(async () => expect(await addresses("partner.default.svc.cluster.local.")).toEqual([spec.clusterIP]));
});

test("what was answered once is answered when the name server has gone, and names of Services always", async () => {
  expect(await addresses("remembered.example.")).toEqual(["198.51.100.7"]);
  /** How often, once all that it was asked before `barrier` has been read. */
  const askedBefore = async (barrier: string): Promise<number> => {
    await addresses(`${barrier}.example.`);
    await nameServer.until(new RegExp(`asked .*${barrier}`));
    return [...nameServer.text().matchAll(/asked .*remembered/g)].length;
  };
  const before = await askedBefore("first-barrier");
  expect(await addresses("remembered.example.")).toEqual(["198.51.100.7"]);
  expect(await askedBefore("second-barrier")).toBe(before);
  await nameServer.stop();
  expect(await addresses("remembered.example.")).toEqual(["198.51.100.7"]);
  expect(await addresses("never-asked.example.")).toEqual([]);
  expect(await addresses("web.default.svc.cluster.local.")).toEqual([webIp]);
});
