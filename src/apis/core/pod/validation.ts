import type { FieldError } from "../../../apimachinery/field-errors.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import type { Pod } from "../../generated/core/v1.ts";
export const validatePod = (_: Frozen<Pod>): FieldError[] => [];
export const validatePodUpdate = (_: Frozen<Pod>, __: Frozen<Pod>): FieldError[] => [];
export const validatePodStatusUpdate = (_: Frozen<Pod>, __: Frozen<Pod>): FieldError[] => [];
