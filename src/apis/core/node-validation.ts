import type { FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Node } from "../generated/core/v1.ts";
export const validateNode = (_: Frozen<Node>): FieldError[] => [];
export const validateNodeUpdate = (_: Frozen<Node>): FieldError[] => [];
