import type { FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Endpoints } from "../generated/core/v1.ts";
export const validateEndpoints = (_: Frozen<Endpoints>): FieldError[] => [];
