import type { FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Deployment } from "../generated/apps/v1.ts";
export const validateDeployment = (_: Frozen<Deployment>): FieldError[] => [];
export const validateDeploymentUpdate = (_: Frozen<Deployment>, __: Frozen<Deployment>): FieldError[] => [];
export const validateDeploymentStatusUpdate = (_: Frozen<Deployment>, __: Frozen<Deployment>): FieldError[] => [];
