import { forbiddenField, invalidValue, notSupported, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { formatLabelSelector } from "../../apimachinery/selectors/labels.ts";
import { validateLabelSelector } from "../../apimachinery/validation/label-selector.ts";
import { portName, portNumber } from "../core/field-rules.ts";
import type { IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from "../generated/networking/v1.ts";
import { containsAddress, legacyNetworkErrors, looseNetwork, networkWarnings } from "./addresses.ts";
export type { NetworkPolicy } from "../generated/networking/v1.ts";

export const networkpolicies = defineResource<NetworkPolicy>({
  group: "networking.k8s.io", version: "v1", kind: "NetworkPolicy", resource: "networkpolicies", scope: "Namespaced", shortNames: ["netpol"],
  schema: "io.k8s.api.networking.v1.NetworkPolicy",
  default(policy) {
    const spec = (policy.spec ??= { podSelector: {} });
    spec.podSelector ??= {};
    if (!spec.policyTypes?.length) spec.policyTypes = spec.egress?.length ? ["Ingress", "Egress"] : ["Ingress"];
    for (const { ports } of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) for (const port of ports ?? []) port.protocol ??= "TCP";
  },
  strategy: {
    validate: (policy) => validate(policy, []),
    validateUpdate: (policy, old) => validate(policy, peersOf(old).flatMap(({ peer: { ipBlock } }) => (ipBlock ? [ipBlock.cidr ?? "", ...(ipBlock.except ?? [])] : []))),
    warnings: (policy) => peersOf(policy).flatMap(({ field, peer: { ipBlock } }) => (ipBlock ? [
      ...networkWarnings(`${field}.ipBlock.cidr`, ipBlock.cidr), ...(ipBlock.except ?? []).flatMap((except, index) => networkWarnings(`${field}.ipBlock.except[${index}]`, except)),
    ] : [])),
  },
  columns: [
    nameColumn(),
    { name: "Pod-Selector", type: "string", description: "podSelector selects the pods to which this NetworkPolicy object applies. The array of rules is applied to any pods selected by this field. An empty selector matches all pods in the policy's namespace. Multiple network policies can select the same set of pods. In this case, the ingress rules for each are combined additively. This field is optional. If it is not specified, it defaults to an empty selector.", value: ({ spec }) => formatLabelSelector(spec.podSelector) },
    ageColumn(),
  ],
  example: () => ({ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { name: "example", namespace: "default" }, spec: { podSelector: {} } }),
});

/** All peers with where they stand, ingress first. */
function peersOf({ spec: { ingress = [], egress = [] } }: Frozen<NetworkPolicy>): { field: string; peer: Frozen<NetworkPolicyPeer> }[] {
  return [
    ...ingress.flatMap(({ from = [] }, rule) => from.map((peer, index) => ({ field: `spec.ingress[${rule}].from[${index}]`, peer }))),
    ...egress.flatMap(({ to = [] }, rule) => to.map((peer, index) => ({ field: `spec.egress[${rule}].to[${index}]`, peer }))),
  ];
}

/** `known` networks are stored already, and may stay as they are. */
function validate({ spec: { podSelector, ingress = [], egress = [], policyTypes = [] } }: Frozen<NetworkPolicy>, known: readonly string[]): FieldError[] {
  const rule = (field: string, side: "from" | "to", ports: readonly Frozen<NetworkPolicyPort>[] = [], peers: readonly Frozen<NetworkPolicyPeer>[] = []): FieldError[] => [
    ...ports.flatMap((port, index) => validatePort(`${field}.ports[${index}]`, port)),
    ...peers.flatMap((peer, index) => validatePeer(`${field}.${side}[${index}]`, peer, known)),
  ];
  const errors = [
    ...validateLabelSelector(podSelector, "spec.podSelector"),
    ...ingress.flatMap(({ ports, from }, index) => rule(`spec.ingress[${index}]`, "from", ports, from)),
    ...egress.flatMap(({ ports, to }, index) => rule(`spec.egress[${index}]`, "to", ports, to)),
  ];
  if (policyTypes.length > 2) return [...errors, invalidValue("spec.policyTypes", policyTypes, "may not specify more than two policyTypes")];
  return [...errors, ...policyTypes.flatMap((type, index) => (type === "Ingress" || type === "Egress" ? [] : [notSupported(`spec.policyTypes[${index}]`, type, ["Ingress", "Egress"])]))];
}

function validatePort(field: string, { protocol, port, endPort }: Frozen<NetworkPolicyPort>): FieldError[] {
  const errors = protocol === undefined || ["TCP", "UDP", "SCTP"].includes(protocol) ? [] : [notSupported(`${field}.protocol`, protocol, ["TCP", "UDP", "SCTP"])];
  const end = `${field}.endPort`;
  if (port === undefined) return endPort === undefined ? errors : [...errors, invalidValue(end, endPort, "may not be specified when `port` is not specified")];
  if (typeof port === "string") {
    if (endPort !== undefined) errors.push(invalidValue(end, endPort, "may not be specified when `port` is non-numeric"));
    return [...errors, ...portName(`${field}.port`, port)];
  }
  errors.push(...portNumber(`${field}.port`, port));
  if (endPort === undefined) return errors;
  // Kubernetes shows the port here, not the end.
  if (endPort < port) errors.push(invalidValue(end, port, "must be greater than or equal to `port`"));
  return [...errors, ...portNumber(end, endPort)];
}

function validatePeer(field: string, { podSelector, namespaceSelector, ipBlock }: Frozen<NetworkPolicyPeer>, known: readonly string[]): FieldError[] {
  const errors = [
    ...validateLabelSelector(podSelector, `${field}.podSelector`),
    ...validateLabelSelector(namespaceSelector, `${field}.namespaceSelector`),
    ...(ipBlock ? validateBlock(`${field}.ipBlock`, ipBlock, known) : []),
  ];
  if (!podSelector && !namespaceSelector && !ipBlock) errors.push(required(field, "must specify a peer"));
  else if (ipBlock && (podSelector || namespaceSelector)) errors.push(forbiddenField(field, "may not specify both ipBlock and another peer"));
  return errors;
}

function validateBlock(field: string, { cidr = "", except = [] }: Frozen<IPBlock>, known: readonly string[]): FieldError[] {
  if (cidr === "") return [required(`${field}.cidr`)];
  const checked = (at: string, text: string): FieldError[] => (known.includes(text) ? [] : legacyNetworkErrors(text).map((message) => invalidValue(at, text, message)));
  const network = looseNetwork(cidr), errors = checked(`${field}.cidr`, cidr);
  if (!network) return errors;
  return [...errors, ...except.flatMap((text, index) => {
    const at = `${field}.except[${index}]`, inner = looseNetwork(text);
    const outside = inner && !(containsAddress(network, inner) && network.prefix < inner.prefix);
    return [...checked(at, text), ...(outside ? [invalidValue(at, text, "must be a strict subset of `cidr`")] : [])];
  })];
}
