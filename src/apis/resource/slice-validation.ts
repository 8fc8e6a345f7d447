import { invalidValue, notSupported, required, tooLong, tooMany, type FieldError } from "../../apimachinery/field-errors.ts";
import { semanticEqual } from "../../apimachinery/equality.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { validateImmutableField } from "../../apimachinery/validation/object-meta.ts";
import { dnsLabel, dnsSubdomain, given, labelName, labelValue } from "../core/field-rules.ts";
import { validateNodeSelector } from "../core/pod/validation-scheduling.ts";
import type { Counter, CounterSet, Device, DeviceAttribute, DeviceTaint, ResourceSliceSpec } from "../generated/resource/v1.ts";
import { taintEffects } from "./claim-validation.ts";
import { validateBindingConditions } from "./claim-status-validation.ts";
import { attributeName, driverName, poolName, validateList } from "./device-names.ts";
import { validateCapacity } from "./request-policy.ts";

/** What drivers offer. Source: pkg/apis/resource/validation. */

const mostDevices = 128, mostAdvancedDevices = 64, mostCounterSets = 8, mostCounters = 32, mostConsumptions = 2, mostTaints = 16, mostAttributes = 32;
const longestAttributeValue = 64;
const semver = /^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?$/;

type Spec = Frozen<ResourceSliceSpec>;

export function validateSliceSpec(spec: Spec, old?: Spec): FieldError[] {
  const { driver, pool, devices, sharedCounters, perDeviceNodeSelection } = spec;
  const advanced = (devices ?? []).some(({ taints, consumesCounters, attributes = {} }) => taints?.length || consumesCounters?.length || Object.values(attributes).some(({ ints, bools, strings, versions }) => ints || bools || strings || versions));
  return [
    ...driverName("spec.driver", driver),
    ...poolName("spec.pool.name", pool?.name),
    ...((pool?.resourceSliceCount ?? 0) <= 0 ? [invalidValue("spec.pool.resourceSliceCount", pool?.resourceSliceCount ?? 0, "must be greater than zero")] : []),
    ...((pool?.generation ?? 0) < 0 ? [invalidValue("spec.pool.generation", pool.generation, "must be greater than or equal to zero")] : []),
    ...(old ? [
      ...validateImmutableField(pool?.name ?? "", old.pool?.name ?? "", "spec.pool.name"), ...validateImmutableField(driver ?? "", old.driver ?? "", "spec.driver"), ...validateImmutableField(spec.nodeName, old.nodeName, "spec.nodeName"),
    ] : []),
    ...validatePlace(spec),
    ...(sharedCounters && devices ? [invalidValue("spec", "", "only one of `sharedCounters` or `devices` is allowed")] : []),
    ...validateList("spec.devices", devices, advanced ? mostAdvancedDevices : mostDevices, (field, device) => validateDevice(field, device, old?.devices?.find(({ name }) => name === device.name), perDeviceNodeSelection ?? false), ({ name }) => name ?? ""),
    ...validateList("spec.sharedCounters", sharedCounters, mostCounterSets, validateCounterSet, ({ name }) => name ?? ""),
  ];
}

/** Where the devices are: one way of saying it, and one only. */
function validatePlace({ nodeName, nodeSelector, allNodes, perDeviceNodeSelection: perDevice }: Spec): FieldError[] {
  const errors: FieldError[] = [], given: string[] = [], rule = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required";
  const flag = (name: string, value: boolean | undefined): void => {
    if (value === true) given.push(`\`${name}\``);
    else if (value === false) errors.push(invalidValue(`spec.${name}`, false, "must be either unset or set to true"));
  };
  if (nodeName === "") errors.push(invalidValue("spec.nodeName", nodeName, "must be either unset or set to a non-empty string"));
  else if (nodeName !== undefined) {
    given.push("`nodeName`");
    errors.push(...dnsSubdomain("spec.nodeName", nodeName));
  }
  if (nodeSelector) {
    given.push("`nodeSelector`");
    errors.push(...validateNodeSelector("spec.nodeSelector", nodeSelector));
    if (nodeSelector.nodeSelectorTerms?.length !== 1) errors.push(invalidValue("spec.nodeSelector.nodeSelectorTerms", nodeSelector.nodeSelectorTerms, "must have exactly one node selector term"));
  }
  flag("allNodes", allNodes);
  flag("perDeviceNodeSelection", perDevice);
  if (given.length === 0) return [...errors, required("spec", rule)];
  return given.length === 1 ? errors : [...errors, invalidValue("spec", `{${given.join(", ")}}`, `${rule}, but multiple fields are set`)];
}

function validateDevice(field: string, device: Frozen<Device>, old: Frozen<Device> | undefined, perDevice: boolean): FieldError[] {
  const { name, attributes = {}, capacity = {}, taints, consumesCounters, allowMultipleAllocations = false, bindingConditions, bindingFailureConditions } = device;
  const count = Object.keys(attributes).length + Object.keys(capacity).length;
  return [
    ...dnsLabel(`${field}.name`, name),
    ...(count > mostAttributes ? [invalidValue(field, count, `the total number of attributes and capacities must not exceed ${mostAttributes}`)] : []),
    ...Object.entries(attributes).flatMap(([key, value]) => [...attributeName(`${field}.attributes`, key), ...validateAttribute(`${field}.attributes[${key}]`, value)]),
    ...Object.entries(capacity).flatMap(([key, value]) => [...attributeName(`${field}.capacity`, key), ...validateCapacity(`${field}.capacity[${key}]`, value, allowMultipleAllocations)]),
    ...(old && semanticEqual(old.taints, taints) ? [] : validateList(`${field}.taints`, taints, mostTaints, validateTaint)),
    ...validateList(`${field}.consumesCounters`, consumesCounters, mostConsumptions, (at, { counterSet, counters }) =>
      [...(counterSet ? dnsLabel(`${at}.counterSet`, counterSet) : [required(`${at}.counterSet`)]), ...validateCounters(`${at}.counters`, counters)], ({ counterSet }) => counterSet ?? ""),
    ...validateDevicePlace(field, device, perDevice),
    ...validateBindingConditions(field, bindingConditions, bindingFailureConditions),
  ];
}

function validateDevicePlace(field: string, { nodeName, nodeSelector, allNodes }: Frozen<Device>, perDevice: boolean): FieldError[] {
  const errors: FieldError[] = [], set: string[] = [];
  const rule = "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec";
  if (!perDevice) {
    if (nodeName === undefined && !nodeSelector && allNodes === undefined) return [];
    return [invalidValue(field, null, "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec")];
  }
  if (nodeName === "") errors.push(invalidValue(`${field}.nodeName`, nodeName, "must not be empty"));
  else if (nodeName !== undefined) {
    set.push("`nodeName`");
    errors.push(...dnsSubdomain(`${field}.nodeName`, nodeName));
  }
  if (nodeSelector) {
    set.push("`nodeSelector`");
    errors.push(...validateNodeSelector(`${field}.nodeSelector`, nodeSelector));
  }
  if (allNodes) set.push("`allNodes`");
  else if (allNodes === false) errors.push(invalidValue(`${field}.allNodes`, false, "must be either unset or set to true"));
  if (set.length === 0) return [...errors, required(field, rule)];
  return set.length === 1 ? errors : [...errors, invalidValue(field, `{${set.join(", ")}}`, rule)];
}

function validateAttribute(field: string, attribute: Frozen<DeviceAttribute>): FieldError[] {
  const { string: text, version, strings = [], versions = [] } = attribute;
  const long = (at: string, value: string): FieldError[] => (Buffer.byteLength(value) > longestAttributeValue ? [tooLong(at, longestAttributeValue)] : []);
  const versioned = (at: string, value: string): FieldError[] => [...(semver.test(value) ? [] : [invalidValue(at, value, "must be a string compatible with semver.org spec 2.0.0")]), ...long(at, value)];
  const stated = Object.values(attribute).filter((value) => value !== undefined && value !== null).length;
  return [
    ...(text === undefined ? [] : long(`${field}.string`, text)),
    ...(version === undefined ? [] : versioned(`${field}.version`, version)),
    ...strings.flatMap((value, index) => long(`${field}.strings[${index}]`, value)),
    ...versions.flatMap((value, index) => versioned(`${field}.versions[${index}]`, value)),
    ...(stated === 1 ? [] : [invalidValue(field, stated === 0 ? "" : shownAttribute(attribute), "exactly one value must be specified")]),
  ];
}

/** As messages show it: Go's internal form. */
const shownAttribute = ({ int, bool, string, version, ints, bools, strings, versions }: Frozen<DeviceAttribute>): object => ({
  IntValue: int ?? null, BoolValue: bool ?? null, StringValue: string ?? null, VersionValue: version ?? null,
  IntValues: ints ?? null, BoolValues: bools ?? null, StringValues: strings ?? null, VersionValues: versions ?? null,
});

function validateTaint(field: string, { key, value, effect }: Frozen<DeviceTaint>): FieldError[] {
  return [
    ...labelName(`${field}.key`, key),
    ...given(value, (text) => labelValue(`${field}.value`, text)),
    ...(effect ? (taintEffects.includes(effect) ? [] : [notSupported(`${field}.effect`, effect, taintEffects)]) : [required(`${field}.effect`)]),
  ];
}

const validateCounterSet = (field: string, { name, counters }: Frozen<CounterSet>): FieldError[] =>
  [...(name ? dnsLabel(`${field}.name`, name) : [required(`${field}.name`)]), ...validateCounters(`${field}.counters`, counters)];

function validateCounters(field: string, counters: Readonly<Record<string, Frozen<Counter>>> = {}): FieldError[] {
  const names = Object.keys(counters);
  if (names.length === 0) return [required(field)];
  if (names.length > mostCounters) return [tooMany(field, names.length, mostCounters)];
  return names.flatMap((name) => dnsLabel(field, name));
}
