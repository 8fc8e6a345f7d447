import { isIPv4, isIPv6 } from "node:net";
import { invalidValue, notSupported, required, tooMany, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { dnsLabel, dnsSubdomain, endpointAddress, given, labelName, labelValue, oneOf, unique } from "../core/field-rules.ts";
import type { Endpoint, EndpointPort, EndpointSlice } from "../generated/discovery/v1.ts";
import { legacyAddressErrors } from "../networking/addresses.ts";

const addressTypes = ["FQDN", "IPv4", "IPv6"];
const maxEndpoints = 1000, maxAddresses = 100, maxPorts = 20_000;

export function validateEndpointSlice({ addressType, endpoints, ports }: Frozen<EndpointSlice>): FieldError[] {
  const errors: FieldError[] = [];
  if (!addressType) errors.push(required("addressType"));
  else if (!addressTypes.includes(addressType)) errors.push(notSupported("addressType", addressType, addressTypes));
  errors.push(...validatePorts(ports));
  if (endpoints.length > maxEndpoints) return [...errors, tooMany("endpoints", endpoints.length, maxEndpoints)];
  return [...errors, ...endpoints.flatMap((endpoint, index) => validateEndpoint(`endpoints[${index}]`, endpoint, addressType))];
}

function validatePorts(ports: Frozen<EndpointPort[]>): FieldError[] {
  if (ports.length > maxPorts) return [tooMany("ports", ports.length, maxPorts)];
  const names = new Set<string>();
  return ports.flatMap(({ name = "", protocol, appProtocol }, index) => {
    const at = `ports[${index}]`;
    return [
      ...given(name, (value) => dnsLabel(`${at}.name`, value)),
      ...unique(`${at}.name`, names, name),
      ...oneOf(`${at}.protocol`, protocol, ["SCTP", "TCP", "UDP"]),
      ...given(appProtocol, (value) => labelName(`${at}.appProtocol`, value)),
    ];
  });
}

function validateEndpoint(field: string, { addresses = [], nodeName, hostname, hints }: Frozen<Endpoint>, addressType: string): FieldError[] {
  const zones = new Set<string>(), at = `${field}.addresses`;
  return [
    ...(addresses.length === 0 ? [required(at, "must contain at least 1 address")] : []),
    ...(addresses.length > maxAddresses ? [tooMany(at, addresses.length, maxAddresses)] : []),
    ...addresses.flatMap((address, index) => validateAddress(at, index, address, addressType)),
    ...given(nodeName, (name) => dnsSubdomain(`${field}.nodeName`, name)),
    ...given(hostname, (name) => dnsLabel(`${field}.hostname`, name)),
    ...atMost(`${field}.hints.forZones`, hints?.forZones, maxHints),
    ...(hints?.forZones ?? []).flatMap(({ name }, index) => [...unique(`${field}.hints.forZones[${index}].name`, zones, name), ...labelValue(`${field}.hints.forZones[${index}].name`, name)]),
    ...atMost(`${field}.hints.forNodes`, hints?.forNodes, maxHints),
    ...(hints?.forNodes ?? []).flatMap(({ name }, index) => dnsSubdomain(`${field}.hints.forNodes[${index}].name`, name)),
  ];
}

const maxHints = 8;
const atMost = (field: string, items: readonly unknown[] = [], max: number): FieldError[] => (items.length > max ? [tooMany(field, items.length, max)] : []);

function validateAddress(field: string, index: number, address: string, addressType: string): FieldError[] {
  const at = `${field}[${index}]`;
  if (addressType === "FQDN") return address.includes(".") ? dnsSubdomain(at, address.replace(/\.$/, "")) : [invalidValue(at, address, "should be a domain with at least two segments separated by dots")];
  if (addressType !== "IPv4" && addressType !== "IPv6") return [];
  const wrong = legacyAddressErrors(address).map((message) => invalidValue(at, address, message));
  if (wrong.length > 0) return wrong;
  const matches = addressType === "IPv4" ? isIPv4(address) : isIPv6(address);
  return [...(matches ? [] : [invalidValue(field, address, `must be an ${addressType} address`)]), ...endpointAddress(at, address)];
}

export function validateEndpointSliceUpdate(slice: Frozen<EndpointSlice>, old: Frozen<EndpointSlice>): FieldError[] {
  const errors = validateEndpointSlice(slice);
  return slice.addressType === old.addressType ? errors : [...errors, invalidValue("addressType", slice.addressType, "field is immutable")];
}
