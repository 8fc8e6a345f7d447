import { defaultFeatureGates, features, type Feature, type FeatureGates } from "../apis/feature-gates.ts";
import type { Setting, SettingValues } from "./options.ts";
import { UsageError } from "./settings.ts";

export const featureGateSettings = [
  { name: "feature-gates", type: "list", placeholder: "name=true|false", group: "Cluster", description: `Features of Kubernetes to switch: ${[...Object.entries(features).map(([name, feature]) => `${name} (${feature.stage.toUpperCase()}, default ${feature.default})`), "AllAlpha", "AllBeta"].join(", ")}` },
] as const satisfies readonly Setting[];

const known = Object.keys(features) as Feature[];
const stages = { AllAlpha: "Alpha", AllBeta: "Beta" } as const;

/** Throws a `UsageError` in Kubernetes' words (k8s.io/component-base featuregate). What is named itself wins over AllAlpha and AllBeta. */
export function parseFeatureGates(values: SettingValues): FeatureGates {
  const items = ((values["feature-gates"] as string[] | undefined) ?? []).flatMap((text) => text.split(",")).filter((text) => text.trim() !== "");
  const fail = (reason: string): UsageError => new UsageError(`invalid argument ${JSON.stringify(items.join(","))} for "--feature-gates" flag: ${reason}`);
  const said = new Map(items.map((item) => {
    const [name = "", text] = item.split(/=(.*)/s).map((part) => part.trim());
    if (text === undefined) throw fail(`missing bool value for ${name}`);
    const value = booleans[text];
    if (value === undefined) throw fail(`invalid value of ${name}=${text}, err: strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
    if (!Object.hasOwn(features, name) && !Object.hasOwn(stages, name)) throw fail(`unrecognized feature gate: ${name}`);
    return [name, value] as const;
  }));
  const gates: Record<Feature, boolean> = { ...defaultFeatureGates };
  for (const name of known) {
    const ofStage = Object.entries(stages).find(([, stage]) => stage === features[name].stage)![0];
    gates[name] = said.get(name) ?? said.get(ofStage) ?? gates[name];
  }
  for (const name of known) {
    const missing = features[name].needs.filter((needed) => !gates[needed]);
    if (gates[name] && missing.length > 0) throw fail(`${name} is enabled, but depends on features that are disabled: [${missing.join(" ")}]`);
  }
  return gates;
}

/** What Go's strconv.ParseBool reads. */
const booleans: Readonly<Record<string, boolean>> = Object.assign(Object.create(null) as Record<string, boolean>, Object.fromEntries([
  ...["1", "t", "T", "TRUE", "true", "True"].map((text) => [text, true]), ...["0", "f", "F", "FALSE", "false", "False"].map((text) => [text, false]),
]) as Record<string, boolean>);
