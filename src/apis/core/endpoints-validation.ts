import { required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { EndpointAddress, EndpointPort, Endpoints } from "../generated/core/v1.ts";
import { dnsLabel, dnsSubdomain, endpointAddress, given, ipAddress, labelName, oneOf, portNumber } from "./field-rules.ts";

export function validateEndpoints({ subsets }: Frozen<Endpoints>): FieldError[] {
  return (subsets ?? []).flatMap(({ addresses = [], notReadyAddresses = [], ports = [] }, index) => {
    const at = `subsets[${index}]`;
    return [
      ...(addresses.length + notReadyAddresses.length === 0 ? [required(at, "must specify `addresses` or `notReadyAddresses`")] : []),
      ...addresses.flatMap((address, place) => validateAddress(`${at}.addresses[${place}]`, address)),
      ...notReadyAddresses.flatMap((address, place) => validateAddress(`${at}.notReadyAddresses[${place}]`, address)),
      ...ports.flatMap((port, place) => validatePort(`${at}.ports[${place}]`, port, ports.length > 1)),
    ];
  });
}

function validateAddress(field: string, { ip, hostname, nodeName }: Frozen<EndpointAddress>): FieldError[] {
  const wrong = ipAddress(`${field}.ip`, ip ?? "");
  return [
    ...(wrong.length > 0 ? wrong : endpointAddress(`${field}.ip`, ip)),
    ...given(hostname, (name) => dnsLabel(`${field}.hostname`, name)),
    ...(nodeName === undefined ? [] : dnsSubdomain(`${field}.nodeName`, nodeName)),
  ];
}

function validatePort(field: string, { name, port, protocol, appProtocol }: Frozen<EndpointPort>, nameRequired: boolean): FieldError[] {
  return [
    ...(nameRequired && !name ? [required(`${field}.name`)] : given(name, (value) => dnsLabel(`${field}.name`, value))),
    ...portNumber(`${field}.port`, port ?? 0),
    ...oneOf(`${field}.protocol`, protocol, ["SCTP", "TCP", "UDP"]),
    ...(appProtocol === undefined ? [] : labelName(`${field}.appProtocol`, appProtocol)),
  ];
}
