import { expect, test } from "bun:test";
import { parseDatastoreOptions } from "./options.ts";

test("sizes are read with Kubernetes' suffixes", () => {
  const bytes = (size: string) => parseDatastoreOptions({ "datastore-max-size": size, "event-ttl": "1h" }).maxBytes;
  expect(["2Gi", "512Mi", "1.5G", "64000000", "100MB"].map(bytes)).toEqual([2 ** 31, 2 ** 29, 1.5e9, 64e6, 100e6]);
  for (const wrong of ["much", "-1Gi", "1 Gi of disk", ""]) expect(() => bytes(wrong)).toThrow("--datastore-max-size must be a size such as 512Mi or 2Gi");
  expect(() => bytes("1Mi")).toThrow("at least 32Mi");
});

test("Events live for an hour, or as long as is said", () => {
  const ttl = (given: string) => parseDatastoreOptions({ "datastore-max-size": "2Gi", "event-ttl": given }).eventTtlMs;
  expect(["1h", "30m", "1h30m"].map(ttl)).toEqual([3_600_000, 1_800_000, 5_400_000]);
  for (const wrong of ["0", "-1h", "soon", ""]) expect(() => ttl(wrong)).toThrow("--event-ttl must be a duration such as 1h");
});
