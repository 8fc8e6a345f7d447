import type { FieldError } from "../../../apimachinery/field-errors.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import type { Service } from "../../generated/core/v1.ts";
export const validateService = (_: Frozen<Service>): FieldError[] => [];
export const validateServiceUpdate = (_: Frozen<Service>, __: Frozen<Service>): FieldError[] => [];
