import { expect, test } from "bun:test";
import { createMetrics } from "./metrics.ts";

test("counters and gauges are rendered with escaped labels", () => {
  const metrics = createMetrics();
  const requests = metrics.counter({ name: "requests_total", help: "All requests.", labels: ["verb", "path"] });
  requests.inc(["get", 'a"b\\c']);
  requests.inc(["get", 'a"b\\c'], 2);
  const inflight = metrics.gauge({ name: "inflight", help: "Now." });
  inflight.set(5);
  inflight.add(-2);
  metrics.callback({ name: "answer", help: "Read late.", type: "gauge", read: () => 42 });
  expect(metrics.render()).toBe(`# HELP requests_total All requests.
# TYPE requests_total counter
requests_total{verb="get",path="a\\"b\\\\c"} 3
# HELP inflight Now.
# TYPE inflight gauge
inflight 3
# HELP answer Read late.
# TYPE answer gauge
answer 42
`);
});

test("histogram buckets are cumulative and include their bound", () => {
  const metrics = createMetrics();
  const seconds = metrics.histogram({ name: "seconds", help: "Time.", labels: ["verb"], buckets: [0.1, 1] });
  for (const value of [0.1, 0.5, 7]) seconds.observe(value, ["list"]);
  expect(metrics.render().split("\n").slice(2, -1)).toEqual([
    'seconds_bucket{verb="list",le="0.1"} 1',
    'seconds_bucket{verb="list",le="1"} 2',
    'seconds_bucket{verb="list",le="+Inf"} 3',
    'seconds_sum{verb="list"} 7.6',
    'seconds_count{verb="list"} 3',
  ]);
});

test("a name is taken once", () => {
  const metrics = createMetrics();
  metrics.counter({ name: "twice", help: "" });
  expect(() => metrics.gauge({ name: "twice", help: "" })).toThrow("registered twice");
});
