import { invalidValue, notSupported, required, tooLong, tooMany, typeInvalid, type FieldError } from "../../apimachinery/field-errors.ts";

/** What k8s.io/kube-openapi pkg/validation/errors tells of one failure. */
export type Failure =
  | { readonly code: "required"; readonly name: string; readonly text: string }
  | { readonly code: "enum"; readonly name: string; readonly text: string; readonly value: unknown; readonly values: readonly unknown[] }
  | { readonly code: "tooLong"; readonly name: string; readonly text: string; readonly most: number }
  | { readonly code: "tooMany"; readonly name: string; readonly text: string; readonly actual: number; readonly most: number }
  | { readonly code: "type" | "other"; readonly name: string; readonly text: string; readonly value?: unknown }
  /** About no field in particular. */
  | { readonly code: "composite"; readonly name?: undefined; readonly text: string };

/** Failures of one value, and how many checks it passed: what tells the alternative of an anyOf that was meant. */
export class Result {
  readonly failures: Failure[] = [];
  matches = 0;

  get valid(): boolean {
    return this.failures.length === 0;
  }

  add(failure: Failure): void {
    if (!this.failures.some(({ text }) => text === failure.text)) this.failures.push(failure);
  }

  merge(other: Result): void {
    for (const failure of other.failures) this.add(failure);
    this.matches += other.matches;
  }
}

/** As k8s.io/apiextensions-apiserver pkg/apiserver/validation turns them into field errors; `field` stands before their names. */
export function fieldErrorOf(failure: Failure, field: string): FieldError {
  if (failure.code === "composite") return invalidValue(field || "<nil>", "", failure.text);
  const name = failure.name.replace(/^\./, "");
  const at = name === "" ? field || "<nil>" : field ? `${field}.${name}` : name;
  switch (failure.code) {
    case "required": return required(at);
    case "enum": return notSupported(at, failure.value, failure.values.map((value) => (typeof value === "string" ? value : JSON.stringify(value))));
    case "tooLong": return tooLong(at, failure.most);
    case "tooMany": return tooMany(at, failure.actual, failure.most);
    case "type": return typeInvalid(at, failure.value ?? "", failure.text);
    case "other": return invalidValue(at, failure.value ?? "", failure.text);
  }
}
