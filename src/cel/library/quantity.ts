import { addQuantities, compareQuantities, parseQuantity, subtractQuantities, type Quantity } from "../../apimachinery/quantity.ts";
import { func, method, type Library } from "../function.ts";
import { boolType, doubleType, intType, stringType, structType, type CelType } from "../type.ts";
import { CelError, Opaque, type Value } from "../values/value.ts";

export const quantityType: CelType = structType("kubernetes.Quantity");
const giga = 1_000_000_000n;

export class QuantityValue extends Opaque {
  readonly type = quantityType;
  constructor(readonly quantity: Quantity) {
    super();
  }
  equals(other: QuantityValue): boolean {
    return this.quantity.nano === other.quantity.nano;
  }
}

function parse(text: string): Value {
  try {
    return new QuantityValue(parseQuantity(text));
  } catch (error) {
    return new CelError((error as Error).message);
  }
}

const order = (a: QuantityValue, b: QuantityValue): number => compareQuantities(a.quantity, b.quantity);
const ofInt = (value: bigint): Quantity => ({ nano: value * giga, format: "DecimalSI" });
const isInteger = ({ quantity: { nano } }: QuantityValue): boolean => nano % giga === 0n;

export const quantities: Library = {
  quantity: [func("string_to_quantity", [stringType], quantityType, parse)],
  isQuantity: [func("is_quantity_string", [stringType], boolType, (text: string) => parse(text) instanceof QuantityValue)],
  sign: [func("quantity_sign", [quantityType], intType, ({ quantity: { nano } }: QuantityValue) => (nano > 0n ? 1n : nano < 0n ? -1n : 0n))],
  isGreaterThan: [method("quantity_is_greater_than", [quantityType, quantityType], boolType, (a: QuantityValue, b: QuantityValue) => order(a, b) > 0)],
  isLessThan: [method("quantity_is_less_than", [quantityType, quantityType], boolType, (a: QuantityValue, b: QuantityValue) => order(a, b) < 0)],
  compareTo: [method("quantity_compare_to", [quantityType, quantityType], intType, (a: QuantityValue, b: QuantityValue) => BigInt(Math.sign(order(a, b))))],
  asApproximateFloat: [method("quantity_get_float", [quantityType], doubleType, ({ quantity: { nano } }: QuantityValue) => Number(nano) / 1e9)],
  asInteger: [method("quantity_get_int", [quantityType], intType, (value: QuantityValue) => (isInteger(value) ? value.quantity.nano / giga : new CelError("cannot convert value to integer")))],
  isInteger: [method("quantity_is_integer", [quantityType], boolType, isInteger)],
  add: [
    method("quantity_add", [quantityType, quantityType], quantityType, (a: QuantityValue, b: QuantityValue) => new QuantityValue(addQuantities(a.quantity, b.quantity))),
    method("quantity_add_int", [quantityType, intType], quantityType, (a: QuantityValue, b: bigint) => new QuantityValue(addQuantities(a.quantity, ofInt(b)))),
  ],
  sub: [
    method("quantity_sub", [quantityType, quantityType], quantityType, (a: QuantityValue, b: QuantityValue) => new QuantityValue(subtractQuantities(a.quantity, b.quantity))),
    method("quantity_sub_int", [quantityType, intType], quantityType, (a: QuantityValue, b: bigint) => new QuantityValue(subtractQuantities(a.quantity, ofInt(b)))),
  ],
};
