import { expect, test } from "bun:test";
import { staleFlows, staleFlowTest, type UdpFronts } from "./udp-flows.ts";

const fronts = (front: string, ...endpoints: string[]): UdpFronts => new Map([[front, new Set(endpoints)]]);
const end = (text: string) => ({ ip: text.split(" ")[0]!, port: Number(text.split(" ")[1]) });
/** Which of the flows `to > by` are forgotten when the one becomes the other. */
const forgotten = (before: UdpFronts | undefined, after: UdpFronts | undefined, ...flows: string[]) => {
  const test = staleFlowTest(staleFlows(before, after), (ip) => ip === "10.99.0.1");
  return flows.filter((flow) => test(end(flow.split(" > ")[0]!), end(flow.split(" > ")[1]!)));
};
const a = "10.42.0.2 53", b = "10.42.0.3 53", service = "10.43.0.20 53";

test.each<[string, UdpFronts | undefined, UdpFronts | undefined, flows: string[], expected: string[]]>([
  ["an endpoint that left", fronts(service, a, b), fronts(service, b), [`${service} > ${a}`, `${service} > ${b}`, `10.43.0.21 53 > ${a}`], [`${service} > ${a}`]],
  ["nothing when one comes", fronts(service, a), fronts(service, a, b), [`${service} > ${a}`], []],
  ["what led nowhere, when there is one at last", fronts(service), fronts(service, a), [`${service} > ${service}`, `${service} > ${a}`], [`${service} > ${service}`]],
  ["what came before the Service", undefined, fronts(service, a), [`${service} > ${service}`], [`${service} > ${service}`]],
  ["a front that is gone", fronts(service, a), undefined, [`${service} > ${a}`, `${service} > 192.0.2.1 53`], [`${service} > ${a}`]],
  ["a node port's, on the node's own addresses", fronts("30053", a), fronts("30053", b), [`10.99.0.1 30053 > ${a}`, `192.0.2.1 30053 > ${a}`], [`10.99.0.1 30053 > ${a}`]],
])("%s", (_, before, after, flows, expected) => expect(forgotten(before, after, ...flows)).toEqual(expected));

test("nothing is looked for when nothing changed", () => {
  expect(staleFlows(fronts(service, a), fronts(service, a))).toEqual([]);
  expect(staleFlows(undefined, undefined)).toEqual([]);
});
