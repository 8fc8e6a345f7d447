import { duplicate, invalidValue, render, required, type FieldError } from "../../apimachinery/field-errors.ts";
import { isObject } from "../../apimachinery/own.ts";
import { parseYaml } from "../../apimachinery/schema/yaml.ts";
import { semanticEqual } from "../../apimachinery/equality.ts";
import type { ProfileConfiguration, SchedulerConfiguration } from "../framework.ts";
import { defaultPlugins } from "../plugins/index.ts";
import type { KubeSchedulerConfiguration, KubeSchedulerProfile } from "./configuration.ts";
import { ConfigurationError, readShape } from "./decode.ts";
import { extendersOf, ignoredResources, validateExtenders } from "./extenders.ts";
import { withDefaults, type NodeResourcesFitArgs } from "./plugin-args.ts";
import { expandPlugins } from "./profiles.ts";
import { argsShapes, configurationShape } from "./shape.ts";
import { argsValidators } from "./validate-args.ts";

const apiVersion = "kubescheduler.config.k8s.io/v1";
const kind = "KubeSchedulerConfiguration";

export interface ParsedConfiguration {
  configuration: SchedulerConfiguration;
  /** What the file sets and nothing comes of here. */
  warnings: string[];
}

/**
 * Reads a file of kubescheduler.config.k8s.io/v1 KubeSchedulerConfiguration, YAML or JSON, strictly: unknown and repeated fields are mistakes.
 * Throws a `ConfigurationError` that says all that validation has to say, in kube-scheduler's words.
 */
export function parseSchedulerConfiguration(text: string): ParsedConfiguration {
  const content = readFile(text);
  const profiles = content.profiles?.length ? content.profiles : [{}];
  if (profiles.length === 1) profiles[0]!.schedulerName ??= "default-scheduler";
  const errors = [...validate(content), ...profiles.flatMap((profile, i) => validateProfile(profile, `profiles[${i}]`, profiles))];
  if (errors.length > 0) throw new ConfigurationError(aggregate(errors.map(render)));
  const { extenders = [] } = content;
  const ignored = ignoredResources(extenders);
  const expanded = profiles.map((profile) => expandProfile(profile, ignored));
  checkQueueSort(expanded);
  const { percentageOfNodesToScore, podInitialBackoffSeconds, podMaxBackoffSeconds } = content;
  return { configuration: { profiles: expanded, extenders: extendersOf(extenders), percentageOfNodesToScore, podInitialBackoffSeconds, podMaxBackoffSeconds }, warnings: warningsOf(content) };
}

/** Many mistakes as Go's aggregates show them. */
const aggregate = (messages: readonly string[]): string => (messages.length === 1 ? messages[0]! : `[${[...new Set(messages)].join(", ")}]`);

function readFile(text: string): KubeSchedulerConfiguration {
  const { value, duplicates } = parse(text);
  if (!isObject(value) || !value["kind"]) throw new ConfigurationError("Object 'Kind' is missing");
  if (!value["apiVersion"]) throw new ConfigurationError("Object 'apiVersion' is missing");
  if (value["kind"] !== kind || value["apiVersion"] !== apiVersion) throw new ConfigurationError(`no kind ${JSON.stringify(value["kind"])} is registered for version ${JSON.stringify(value["apiVersion"])}: it must be ${kind} of ${apiVersion}`);
  const unknown = [...duplicates];
  const content = readShape<KubeSchedulerConfiguration>(value, configurationShape, unknown);
  for (const [i, profile] of (content.profiles ?? []).entries()) readPluginArgs(profile, i, unknown);
  if (unknown.length > 0) throw new ConfigurationError(`strict decoding error: ${unknown.join(", ").replace(/\n\s*/g, " ")}`);
  return content;
}

function parse(text: string): { value: unknown; duplicates: readonly string[] } {
  try {
    const { value, duplicates = [] } = parseYaml(text, { duplicates: true });
    return { value, duplicates };
  } catch (error) {
    throw new ConfigurationError((error as Error).message.replace(/\n\s*/g, " "), { cause: error });
  }
}

/** Puts the arguments in place as their plugins get them: read, with defaults. Those of plugins that aren't ours stay as they are. */
function readPluginArgs({ pluginConfig = [] }: KubeSchedulerProfile, index: number, unknown: string[]): void {
  for (const [i, entry] of pluginConfig.entries()) {
    const { name = "", args = {} } = entry;
    const shape = Object.hasOwn(argsShapes, name) ? argsShapes[name] : undefined;
    if (!shape) continue;
    const at = `decoding .profiles[${index}].pluginConfig[${i}]: `, type = `${name}Args`;
    if (isObject(args) && args["kind"] && args["kind"] !== type) throw new ConfigurationError(`${at}args for plugin ${name} were not of type ${type}.kubescheduler.config.k8s.io, got ${String(args["kind"])}.kubescheduler.config.k8s.io`);
    if (isObject(args) && args["apiVersion"] && args["apiVersion"] !== apiVersion) throw new ConfigurationError(`${at}decoding args for plugin ${name}: no kind ${JSON.stringify(type)} is registered for version ${JSON.stringify(args["apiVersion"])}`);
    const complaints: string[] = [];
    try {
      const { apiVersion: _, kind: __, ...given } = readShape<Record<string, unknown>>(args, shape, complaints);
      entry.args = withDefaults[name]?.(given) ?? given;
    } catch (error) {
      throw new ConfigurationError(`${at}decoding args for plugin ${name}: ${(error as Error).message}`, { cause: error });
    }
    unknown.push(...complaints.map((text) => `${at}strict decoding error: decoding args for plugin ${name}: strict decoding error: ${text}`));
  }
}

function validate({ parallelism = 16, podInitialBackoffSeconds: initial = 1, podMaxBackoffSeconds: max = 10, percentageOfNodesToScore, clientConnection, leaderElection, extenders = [] }: KubeSchedulerConfiguration): FieldError[] {
  const { leaderElect = true, resourceLock = "leases" } = leaderElection ?? {};
  return [
    ...((clientConnection?.burst ?? 0) < 0 ? [invalidValue("clientConnection.burst", clientConnection!.burst, "must be non-negative")] : []),
    ...(leaderElect && resourceLock !== "leases" ? [invalidValue("leaderElection.resourceLock", resourceLock, 'resourceLock value must be "leases"')] : []),
    ...(parallelism > 0 ? [] : [invalidValue("parallelism", parallelism, "should be an integer value greater than zero")]),
    ...percentage("percentageOfNodesToScore", percentageOfNodesToScore),
    ...(initial > 0 ? [] : [invalidValue("podInitialBackoffSeconds", initial, "must be greater than 0")]),
    ...(max >= initial ? [] : [invalidValue("podMaxBackoffSeconds", max, "must be greater than or equal to PodInitialBackoffSeconds")]),
    ...validateExtenders(extenders),
  ];
}

const percentage = (field: string, value = 0): FieldError[] => (value >= 0 && value <= 100 ? [] : [invalidValue(field, value, "not in valid range [0-100]")]);

function validateProfile({ schedulerName = "", percentageOfNodesToScore, pluginConfig = [] }: KubeSchedulerProfile, field: string, all: readonly KubeSchedulerProfile[]): FieldError[] {
  const first = all.findIndex((other) => (other.schedulerName ?? "") === schedulerName);
  const names = pluginConfig.map(({ name }) => name);
  return [
    ...(schedulerName === "" ? [required(`${field}.schedulerName`)] : []),
    ...percentage(`${field}.percentageOfNodesToScore`, percentageOfNodesToScore),
    ...pluginConfig.flatMap(({ name = "", args }, i) => [
      ...(names.indexOf(name) < i ? [duplicate(`${field}.pluginConfig[${i}]`, name)] : []),
      ...(args === undefined || !Object.hasOwn(argsValidators, name) ? [] : argsValidators[name]!(args, `${field}.pluginConfig[${i}].args`)),
    ]),
    ...(field === `profiles[${first}]` ? [] : [duplicate(`${field}.schedulerName`, `profiles[${first}].schedulerName`)]),
  ];
}

/** `ignored` goes before the resources that the profile wants ignored. */
function expandProfile(profile: KubeSchedulerProfile, ignored: readonly string[]): ProfileConfiguration {
  const { schedulerName = "", percentageOfNodesToScore, pluginConfig = [] } = profile;
  try {
    const pluginArgs: Record<string, unknown> = { ...defaultArgs(), ...Object.fromEntries(pluginConfig.map(({ name = "", args }) => [name, args])) };
    if (ignored.length > 0) pluginArgs["NodeResourcesFit"] = { ...(pluginArgs["NodeResourcesFit"] as NodeResourcesFitArgs), ignoredResources: ignored };
    return {
      schedulerName, plugins: expandPlugins(profile, defaultPlugins), pluginArgs,
      ...(percentageOfNodesToScore === undefined ? {} : { percentageOfNodesToScore }),
    };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new ConfigurationError(`initializing profiles: creating profile for scheduler name ${schedulerName}: ${error.message}`, { cause: error });
  }
}

const defaultArgs = (): Record<string, unknown> => Object.fromEntries(Object.entries(withDefaults).map(([name, apply]) => [name, apply({})]));

/** All profiles share one queue. */
function checkQueueSort(profiles: readonly ProfileConfiguration[]): void {
  for (const [i, { schedulerName, plugins: { queueSort, bind } }] of profiles.entries()) {
    const at = `initializing profiles: creating profile for scheduler name ${schedulerName}: `;
    if (queueSort.length !== 1) throw new ConfigurationError(`${at}only one queue sort plugin required for profile with scheduler name ${JSON.stringify(schedulerName)}, but got ${queueSort.length}`);
    if (bind.length === 0) throw new ConfigurationError(`${at}at least one bind plugin is needed for profile with scheduler name ${JSON.stringify(schedulerName)}`);
    if (!semanticEqual(queueSort, profiles[0]!.plugins.queueSort)) throw new ConfigurationError(render(invalidValue(`profiles[${i}].plugins.queueSort`, queueSort, "must be the same for all profiles")));
  }
}

const withoutEffect: readonly (keyof KubeSchedulerConfiguration)[] = ["leaderElection", "clientConnection", "parallelism", "enableProfiling", "delayCacheUntilActive"];

const warningsOf = (content: KubeSchedulerConfiguration): string[] => withoutEffect.filter((name) => content[name] !== undefined).map((name) => `${name} has no effect: the scheduler is part of the server`);
