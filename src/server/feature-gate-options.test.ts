import { describe, expect, test } from "bun:test";
import { parseFeatureGates } from "./feature-gate-options.ts";

const gates = (...said: string[]): ReturnType<typeof parseFeatureGates> => parseFeatureGates({ "feature-gates": said });
const byDefault = { APIServerIdentity: true, StorageVersionAPI: false, StorageVersionMigrator: false };

test("nothing is on that Kubernetes has off", () => expect(parseFeatureGates({})).toEqual(byDefault));

describe("what is said holds", () => {
  test.each([
    [["StorageVersionAPI=true"], { StorageVersionAPI: true }],
    [["StorageVersionAPI=true,StorageVersionMigrator=T"], { StorageVersionAPI: true, StorageVersionMigrator: true }],
    [["StorageVersionAPI=true", " StorageVersionMigrator = 1 "], { StorageVersionAPI: true, StorageVersionMigrator: true }],
    [["AllAlpha=true"], { StorageVersionAPI: true }],
    [["AllBeta=true"], { StorageVersionMigrator: true }],
    [["StorageVersionMigrator=false,AllBeta=true"], {}],
    [["AllBeta=false"], { APIServerIdentity: false }],
    [["StorageVersionAPI=true,StorageVersionAPI=false"], {}],
    [[""], {}],
  ])("%j", (said, changed) => expect(gates(...said)).toEqual({ ...byDefault, ...changed }));
});

describe("mistakes are told in Kubernetes' words", () => {
  test.each([
    ["Nonsense=true", 'invalid argument "Nonsense=true" for "--feature-gates" flag: unrecognized feature gate: Nonsense'],
    ["toString=true", 'invalid argument "toString=true" for "--feature-gates" flag: unrecognized feature gate: toString'],
    ["AllAlpha", 'invalid argument "AllAlpha" for "--feature-gates" flag: missing bool value for AllAlpha'],
    ["AllAlpha=yes", 'invalid argument "AllAlpha=yes" for "--feature-gates" flag: invalid value of AllAlpha=yes, err: strconv.ParseBool: parsing "yes": invalid syntax'],
    ["StorageVersionAPI=true,APIServerIdentity=false", 'invalid argument "StorageVersionAPI=true,APIServerIdentity=false" for "--feature-gates" flag: StorageVersionAPI is enabled, but depends on features that are disabled: [APIServerIdentity]'],
  ])("%s", (said, message) => expect(() => gates(said)).toThrow(message));
});
