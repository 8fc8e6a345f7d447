import type { MetricsRegistry } from "../../src/base/metrics.ts";
import type { AnswerCache } from "./answer-cache.ts";
import { rcodes } from "./message.ts";
import type { DnsCounts } from "./resolver.ts";

/** CoreDNS' own names, so that its dashboards work. Read when somebody asks: a query costs no more than a few additions. */
export function dnsMetrics(registry: MetricsRegistry, counts: DnsCounts, cache: Pick<AnswerCache, "size">): void {
  const counter = (name: string, help: string, read: () => number): void => registry.callback({ name, help, type: "counter", read });
  registry.callback({ name: "coredns_dns_requests_total", help: "Counter of DNS requests made per protocol", type: "counter", labels: ["proto"], read: () => (["udp", "tcp"] as const).map((proto) => [[proto], counts[proto]] as const) });
  registry.callback({ name: "coredns_dns_responses_total", help: "Counter of response status codes", type: "counter", labels: ["rcode"], read: () => Object.entries(rcodes).map(([name, code]) => [[name], counts.answers[code]!] as const) });
  counter("coredns_cache_hits_total", "The count of cache hits", () => counts.cached);
  counter("coredns_cache_served_stale_total", "The number of requests served from stale cache entries", () => counts.stale);
  counter("coredns_cache_misses_total", "The count of questions that went to name servers", () => counts.forwarded);
  counter("coredns_forward_failures_total", "The count of questions that no name server answered", () => counts.failed);
  registry.callback({ name: "coredns_cache_entries", help: "The number of elements in the cache", type: "gauge", read: () => cache.size.entries });
}
