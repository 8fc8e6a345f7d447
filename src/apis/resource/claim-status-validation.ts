import { duplicate, forbiddenField, invalidValue, notSupported, required, tooLong, tooMany, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { validateConditions } from "../../apimachinery/validation/conditions.ts";
import { validateImmutableField } from "../../apimachinery/validation/object-meta.ts";
import { dnsLabel, labelName } from "../core/field-rules.ts";
import { validateNodeSelector } from "../core/pod/validation-scheduling.ts";
import type { AllocatedDeviceStatus, AllocationResult, DeviceRequestAllocationResult, NetworkDeviceData, ResourceClaim } from "../generated/resource/v1.ts";
import { formatAddress, looseNetwork } from "../networking/addresses.ts";
import { rawObject, requestNamesOf, validateConfiguration, validateReferences } from "./claim-validation.ts";
import { driverName, poolName, requestReference, validateList, type RequestNames } from "./device-names.ts";

/** What was allocated to a claim, and who uses it. Source: pkg/apis/resource/validation. */

const mostConsumers = 256, mostResults = 32, mostConfigurations = 64, mostConditions = 8, mostAddresses = 16;
const longestData = 10 * 1024, longestInterface = 256, longestHardwareAddress = 128;
const normalUid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const idOf = ({ driver, pool, device, shareID }: { readonly driver: string; readonly pool: string; readonly device: string; readonly shareID?: string }): string => [driver, pool, device, ...(shareID ? [shareID] : [])].join("/");

export function validateClaimStatus({ metadata, spec, status = {} }: Frozen<ResourceClaim>, { status: old = {} }: Frozen<ResourceClaim>): FieldError[] {
  const { reservedFor = [], allocation, devices } = status, allocated = new Set((allocation?.devices?.results ?? []).map(idOf));
  const known = requestNamesOf(spec.devices ?? {}), was = new Set((old.reservedFor ?? []).map(({ uid }) => uid));
  const errors = [
    ...validateList("status.reservedFor", reservedFor, mostConsumers, (field, consumer) => (["resource", "name", "uid"] as const).filter((part) => !consumer[part]).map((part) => required(`${field}.${part}`)), ({ uid }) => uid ?? ""),
    ...validateList("status.devices", devices, Infinity, (field, device) => validateDevice(field, device, allocated), idOf),
  ];
  if (reservedFor.length > 0 && !allocation) errors.push(forbiddenField("status.reservedFor", "may not be specified when `allocated` is not set"));
  else if (metadata.deletionTimestamp && reservedFor.some(({ uid }) => !was.has(uid))) errors.push(forbiddenField("status.reservedFor", "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"));
  if (!allocation) return errors;
  if (old.allocation) return [...errors, ...validateImmutableField(allocation, old.allocation, "status.allocation")];
  return [...errors, ...validateAllocation("status.allocation", allocation, known)];
}

function validateAllocation(field: string, { devices = {}, nodeSelector }: Frozen<AllocationResult>, known: RequestNames): FieldError[] {
  return [
    ...validateList(`${field}.devices.results`, devices.results, mostResults, (at, result) => validateResult(at, result, known)),
    ...validateList(`${field}.devices.config`, devices.config, mostConfigurations, (at, { source, requests, opaque }) => [
      ...(source ? (source === "FromClaim" || source === "FromClass" ? [] : [notSupported(`${at}.source`, source, ["FromClaim", "FromClass"])]) : [required(`${at}.source`)]),
      ...validateReferences(`${at}.requests`, requests, known), ...validateConfiguration(at, opaque),
    ]),
    ...(nodeSelector ? validateNodeSelector(`${field}.nodeSelector`, nodeSelector) : []),
  ];
}

function validateResult(field: string, { request = "", driver, pool, device, bindingConditions, bindingFailureConditions, shareID }: Frozen<DeviceRequestAllocationResult>, known: RequestNames): FieldError[] {
  return [
    ...requestReference(`${field}.request`, request, known),
    ...driverName(`${field}.driver`, driver),
    ...poolName(`${field}.pool`, pool),
    ...dnsLabel(`${field}.device`, device),
    ...validateBindingConditions(field, bindingConditions, bindingFailureConditions),
    ...validateShare(`${field}.shareID`, shareID),
  ];
}

const validateShare = (field: string, uid: string | undefined): FieldError[] => (uid === undefined || normalUid.test(uid) ? []
  : [invalidValue(field, uid, "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters")]);

const mostBindingConditions = 4;

export function validateBindingConditions(field: string, conditions: readonly string[] = [], failures: readonly string[] = []): FieldError[] {
  const twice = (name: string, values: readonly string[]): FieldError[] => values.flatMap((value, index) => (values.indexOf(value) < index ? [duplicate(`${field}.${name}[${index}]`, value)] : []));
  const both = failures.flatMap((value, index) => (conditions.includes(value) ? [invalidValue(`${field}.bindingFailureConditions[${index}]`, value, "bindingFailureConditions must not overlap with bindingConditions")] : []));
  const errors = [
    ...validateList(`${field}.bindingConditions`, conditions, mostBindingConditions, labelName), ...validateList(`${field}.bindingFailureConditions`, failures, mostBindingConditions, labelName),
    ...twice("bindingConditions", conditions), ...twice("bindingFailureConditions", failures), ...both,
  ];
  if (conditions.length === 0 && failures.length > 0) errors.push(invalidValue(`${field}.bindingConditions`, null, "bindingConditions are required to use bindingFailureConditions"));
  if (failures.length === 0 && conditions.length > 0) errors.push(invalidValue(`${field}.bindingFailureConditions`, null, "bindingFailureConditions are required to use bindingConditions"));
  return errors;
}

function validateDevice(field: string, status: Frozen<AllocatedDeviceStatus>, allocated: ReadonlySet<string>): FieldError[] {
  const { driver = "", pool = "", device = "", shareID, conditions, data, networkData } = status, id = { driver, pool, device, ...(shareID ? { shareID } : {}) };
  return [
    ...driverName(`${field}.driver`, driver), ...poolName(`${field}.pool`, pool), ...dnsLabel(`${field}.device`, device), ...validateShare(`${field}.shareID`, shareID),
    ...(allocated.has(idOf(id)) ? [] : [invalidValue(field, { Driver: driver, Pool: pool, Device: device, ShareID: shareID ?? "" }, "must be an allocated device in the claim")]),
    ...((conditions ?? []).length > mostConditions ? [tooMany(`${field}.conditions`, conditions.length, mostConditions)] : []),
    ...validateConditions(conditions, `${field}.conditions`),
    ...(data === undefined || data === null ? [] : rawObject(`${field}.data`, data, longestData)),
    ...(networkData ? validateNetworkData(`${field}.networkData`, networkData) : []),
  ];
}

function validateNetworkData(field: string, { interfaceName = "", hardwareAddress = "", ips }: Frozen<NetworkDeviceData>): FieldError[] {
  return [
    ...(Buffer.byteLength(interfaceName) > longestInterface ? [tooLong(`${field}.interfaceName`, longestInterface)] : []),
    ...(Buffer.byteLength(hardwareAddress) > longestHardwareAddress ? [tooLong(`${field}.hardwareAddress`, longestHardwareAddress)] : []),
    ...validateList(`${field}.ips`, ips, mostAddresses, validateInterfaceAddress, (ip) => ip),
  ];
}

/** An address with its network's length, in canonical form. */
function validateInterfaceAddress(field: string, text: string): FieldError[] {
  const network = looseNetwork(text);
  if (!network) return [invalidValue(field, text, "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)")];
  const canonical = `${formatAddress(network)}/${network.prefix}`;
  return canonical === text ? [] : [invalidValue(field, text, `must be in canonical form (${JSON.stringify(canonical)})`)];
}
