import { expect, test } from "bun:test";
import { render } from "../../apimachinery/field-errors.ts";
import { endpointslices, type EndpointSlice } from "./endpointslice.ts";

function slice(fields: Partial<EndpointSlice>): EndpointSlice {
  const object: EndpointSlice = { metadata: { name: "web-x" }, addressType: "IPv4", endpoints: [], ports: [], ...fields };
  endpointslices.default!(object);
  return object;
}

test.each([
  ["ready endpoints", { endpoints: [{ addresses: ["10.42.0.5"], nodeName: "n1" }], ports: [{ name: "web", port: 80 }] }, []],
  ["a type", { addressType: "IP" }, ["addressType: Unsupported value: \"IP\": supported values: \"FQDN\", \"IPv4\", \"IPv6\""]],
  ["no address", { endpoints: [{ addresses: [] }] }, ["endpoints[0].addresses: Required value: must contain at least 1 address"]],
  ["the other family", { endpoints: [{ addresses: ["fd00::1"] }] }, ["endpoints[0].addresses: Invalid value: \"fd00::1\": must be an IPv4 address"]],
  ["link-local", { endpoints: [{ addresses: ["169.254.169.254"] }] }, ["endpoints[0].addresses[0]: Invalid value: \"169.254.169.254\": may not be in the link-local range (169.254.0.0/16, fe80::/10)"]],
  ["a port name twice", { ports: [{ port: 1 }, { port: 2 }] }, ["ports[1].name: Duplicate value: \"\""]],
  ["too many", { endpoints: Array.from({ length: 1001 }, () => ({ addresses: ["10.0.0.1"] })) }, ["endpoints: Too many: 1001: must have at most 1000 items"]],
] as [string, Partial<EndpointSlice>, string[]][])("%s", (_, fields, expected) => expect(endpointslices.strategy.validate!(slice(fields)).map(render)).toEqual(expected));

test("the address type stays", () => {
  expect(endpointslices.strategy.validateUpdate!(slice({ addressType: "IPv6" }), slice({})).map(render)).toEqual(["addressType: Invalid value: \"IPv6\": field is immutable"]);
});

test("a new generation comes of endpoints, ports or labels", () => {
  const changed = endpointslices.strategy.generationChanged!;
  expect(changed(slice({}), slice({}))).toBe(false);
  expect(changed(slice({ ports: [{ port: 1 }] }), slice({}))).toBe(true);
  expect(changed(slice({ metadata: { name: "web-x", labels: { a: "b" } } }), slice({}))).toBe(true);
  expect(changed(slice({ metadata: { name: "web-x", annotations: { a: "b" } } }), slice({}))).toBe(false);
});

test("columns", () => {
  const object = slice({ endpoints: [1, 2, 3, 4].map((n) => ({ addresses: [`10.0.0.${n}`] })), ports: [{ port: 80, name: "web" }, { name: "all" }] });
  expect(endpointslices.columns.map((column) => column.value(object, 0))).toEqual(["web-x", "IPv4", "80,all", "10.0.0.1,10.0.0.2,10.0.0.3 + 1 more...", "<unknown>"]);
  expect(endpointslices.columns.map((column) => column.value(slice({}), 0)).slice(2, 4)).toEqual(["<unset>", "<unset>"]);
});
