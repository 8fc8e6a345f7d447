// The DNS of a node with a thousand Services, and a name server behind it, in a process of their own. Prints the port, then the process's memory for each line it is sent.
import { AnswerCache } from "../../agents/dns/answer-cache.ts";
import { parseConfiguration } from "../../agents/dns/configuration.ts";
import { Forwarder } from "../../agents/dns/forwarder.ts";
import { NameServers } from "../../agents/dns/name-servers.ts";
import { ClusterRecords } from "../../agents/dns/records.ts";
import { Resolver } from "../../agents/dns/resolver.ts";
import { serveDns } from "../../agents/dns/server.ts";
import { ZoneAnswers } from "../../agents/dns/zone-answers.ts";
import type { Namespace, Service } from "../../src/apis/generated/core/v1.ts";
import { systemClock as clock } from "../../src/base/clock.ts";
import { logger } from "../../src/base/log.ts";
import type { InformerFactory } from "../../src/client/informer.ts";
import { fakeInformer } from "../support/fake-informer.ts";

const services = Array.from({ length: 1000 }, (_, i) => ({ metadata: { namespace: "default", name: `service-${i}` }, spec: { clusterIP: `10.43.${i >> 8}.${i & 255}`, ports: [{ port: 80 }] } }) as unknown as Service);
const sources: Record<string, unknown> = { services: fakeInformer(...services), endpointslices: fakeInformer(), namespaces: fakeInformer({ metadata: { name: "default" } } as Namespace) };
const records = new ClusterRecords({ informer: (card: { resource: string }) => sources[card.resource] } as unknown as InformerFactory);
const log = logger("dns");

/** Answers every question with one address. */
function answer(query: Buffer): Buffer {
  const { end } = { end: query.indexOf(0, 12) + 5 };
  const reply = Buffer.concat([query.subarray(0, end), Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4, 198, 51, 100, 1])]);
  reply.writeUInt16BE(0x8180, 2);
  reply.writeUInt16BE(1, 6);
  reply.writeUInt16BE(0, 10);
  return reply;
}

const upstream = await serveDns({ address: "127.0.0.1", port: 0, resolver: { answer }, log });
const servers = new NameServers({ ownAddresses: [], onChange: () => undefined }, parseConfiguration({ upstreamNameservers: JSON.stringify([`127.0.0.1:${upstream.port}`]) }));
const zone = new ZoneAnswers({ domain: "cluster.local", records, isClusterAddress: () => false });
const resolver = new Resolver({ zone, servers, clock, cache: new AnswerCache(() => clock.monotonic()), forwarder: new Forwarder({ clock, log, loopAdvice: "" }) });
const server = await serveDns({ address: "127.0.0.1", port: 0, resolver, log });
console.log(server.port);
for await (const _ of console) {
  Bun.gc(true);
  console.log(process.memoryUsage.rss());
}
