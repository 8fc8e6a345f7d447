import type { FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { ReplicaSet } from "../generated/apps/v1.ts";
export const validateReplicaSet = (_: Frozen<ReplicaSet>): FieldError[] => [];
export const validateReplicaSetUpdate = (_: Frozen<ReplicaSet>, __: Frozen<ReplicaSet>): FieldError[] => [];
export const validateReplicaSetStatusUpdate = (_: Frozen<ReplicaSet>, __: Frozen<ReplicaSet>): FieldError[] => [];
