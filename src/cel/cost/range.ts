import type { CostRange } from "../cel.ts";

/** A size or a cost: somewhere between the two. Whatever passes 64 bits stays there, as in cel-go. */
export type Range = CostRange;

export const unlimited = 2 ** 64;
const cap = (value: number): number => (value > unlimited ? unlimited : value);
const times = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : cap(a * b));

export const exactly = (value: number): Range => ({ min: value, max: value });
export const atMost = (max: number): Range => ({ min: 0, max });
export const unknown: Range = atMost(unlimited);

export const addRanges = (a: Range, b: Range): Range => ({ min: cap(a.min + b.min), max: cap(a.max + b.max) });
export const timesRange = (a: Range, b: Range): Range => ({ min: times(a.min, b.min), max: times(a.max, b.max) });
export const scaled = ({ min, max }: Range, factor: number): Range => ({ min: cap(Math.ceil(min * factor)), max: cap(Math.ceil(max * factor)) });
export const unionOf = (a: Range, b: Range): Range => ({ min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) });
