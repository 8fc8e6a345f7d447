import { invalidValue, notSupported, required, tooMany, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { EndpointSlice } from "../generated/discovery/v1.ts";

const addressTypes = ["FQDN", "IPv4", "IPv6"];

export function validateEndpointSlice(slice: Frozen<EndpointSlice>): FieldError[] {
  const errors: FieldError[] = [];
  if (!slice.addressType) errors.push(required("addressType"));
  else if (!addressTypes.includes(slice.addressType)) errors.push(notSupported("addressType", slice.addressType, addressTypes));
  if (slice.endpoints.length > 1000) errors.push(tooMany("endpoints", slice.endpoints.length, 1000));
  return errors;
}

export function validateEndpointSliceUpdate(slice: Frozen<EndpointSlice>, old: Frozen<EndpointSlice>): FieldError[] {
  const errors = validateEndpointSlice(slice);
  return slice.addressType === old.addressType ? errors : [...errors, invalidValue("addressType", slice.addressType, "field is immutable")];
}
