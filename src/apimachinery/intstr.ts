/** k8s.io/apimachinery/pkg/util/intstr: a number, or a percentage such as `25%`. */
export type IntOrString = number | string;

const percent = /^([+-]?\d+)%$/;

/** The number, or that percentage of `total`, rounded up or down. Throws an Error for a string that is no percentage. */
export function scaledValue(value: IntOrString, total: number, roundUp: boolean): number {
  if (typeof value === "number") return value;
  const match = percent.exec(value);
  if (!match) throw new Error(`invalid value for IntOrString: invalid type: string is not a percentage`);
  const scaled = (Number(match[1]) * total) / 100;
  return roundUp ? Math.ceil(scaled) : Math.floor(scaled);
}

export const isPercent = (value: IntOrString): boolean => typeof value === "string" && percent.test(value);
