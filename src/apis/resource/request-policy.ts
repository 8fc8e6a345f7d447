import { duplicate, forbiddenField, invalidValue, required, tooMany, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { addQuantities, compareQuantities, formatQuantity, value, type QuantityLike } from "../../apimachinery/quantity.ts";
import type { CapacityRequestPolicyRange, DeviceCapacity } from "../generated/resource/v1.ts";

/** How much of a shared device's capacity may be asked for. Source: pkg/apis/resource/validation. */

const mostValues = 10;
const more = (a: QuantityLike, b: QuantityLike): boolean => compareQuantities(a, b) > 0;
const text = (quantity: QuantityLike): string => String(quantity);

export function validateCapacity(field: string, { value: most, requestPolicy: policy }: Frozen<DeviceCapacity>, shared: boolean): FieldError[] {
  if (!policy) return [];
  const at = `${field}.requestPolicy`, { validValues = [], validRange, default: usual } = policy;
  if (!shared) return [forbiddenField(at, "allowMultipleAllocations must be true")];
  if (validValues.length > 0 && validRange) return [forbiddenField(at, `exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time`)];
  if (validValues.length > 0) return usual === undefined ? [required(`${at}.default`, "required when validValues is defined")] : validateValues(`${at}.validValues`, validValues, usual, most);
  if (!validRange) return [];
  return usual === undefined ? [required(`${at}.default`, "required when validRange is defined")] : validateRange(`${at}.validRange`, validRange, usual, most);
}

function validateValues(field: string, values: readonly QuantityLike[], usual: QuantityLike, most: QuantityLike): FieldError[] {
  const errors = values.slice(1).flatMap((one, index) => (more(values[index]!, one) ? [invalidValue(`${field}[${index + 1}]`, text(one), "values must be sorted in ascending order")] : []));
  if (values.length > mostValues) errors.push(tooMany(field, values.length, mostValues));
  else {
    const keys = values.map((one) => String(value(one)));
    errors.push(
      ...values.flatMap((one, index) => (more(one, most) ? [invalidValue(`${field}[${index}]`, text(one), `option is larger than capacity value: ${text(most)}`)] : [])),
      ...keys.flatMap((key, index) => (keys.indexOf(key) < index ? [duplicate(`${field}[${index}]`, key)] : [])),
    );
  }
  const found = values.length <= mostValues && values.some((one) => compareQuantities(one, usual) === 0);
  return found ? errors : [...errors, invalidValue(field, text(usual), "default value is not valid according to the requestPolicy")];
}

function validateRange(field: string, { min, max, step }: Frozen<CapacityRequestPolicyRange>, usual: QuantityLike, most: QuantityLike): FieldError[] {
  if (min === undefined) return [required(`${field}.min`, "required when validRange is defined")];
  const wrong = (part: string, shown: QuantityLike, message: string): FieldError => invalidValue(`${field}.${part}`, text(shown), message);
  return [
    ...(more(min, most) ? [wrong("min", min, `min is larger than capacity value: ${text(most)}`)] : []),
    ...(more(min, usual) ? [wrong("min", usual, `default is less than min: ${text(min)}`)] : []),
    ...(max !== undefined && more(min, max) ? [wrong("max", min, `min is larger than max: ${text(max)}`)] : []),
    ...(max !== undefined && more(max, most) ? [wrong("max", max, `max is larger than capacity value: ${text(most)}`)] : []),
    ...(max !== undefined && more(usual, max) ? [wrong("max", usual, `default is more than max: ${text(max)}`)] : []),
    ...(step === undefined ? [] : validateStep(`${field}.step`, step, min, [usual, ...(max === undefined ? [] : [max])], most)),
  ];
}

function validateStep(field: string, step: QuantityLike, min: QuantityLike, values: readonly QuantityLike[], most: QuantityLike): FieldError[] {
  const next = addQuantities(min, step), width = value(step);
  return [
    ...(more(next, most) ? [invalidValue(field, text(step), `one step ${formatQuantity(next)} is larger than capacity value: ${text(most)}`)] : []),
    ...values.filter((one) => width !== 0 && (value(one) - value(min)) % width !== 0)
      .map((one) => invalidValue(field, text(one), `value is not a multiple of a given step (${text(step)}) from (${text(min)})`)),
  ];
}
