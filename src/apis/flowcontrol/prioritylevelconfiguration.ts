import { semanticEqual } from "../../apimachinery/equality.ts";
import { forbiddenField, invalidValue, notSupported, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn, type Column } from "../../apimachinery/resource.ts";
import type { LimitResponse, PriorityLevelConfiguration, PriorityLevelConfigurationSpec, QueuingConfiguration } from "../generated/flowcontrol/v1.ts";
import { mandatory } from "./bootstrap.ts";
import { validateConditionTypes } from "./condition-types.ts";
import { shownPriorityLevelSpec } from "./shown.ts";
export type { PriorityLevelConfiguration } from "../generated/flowcontrol/v1.ts";

export const prioritylevelconfigurations = defineResource<PriorityLevelConfiguration>({
  group: "flowcontrol.apiserver.k8s.io", version: "v1", kind: "PriorityLevelConfiguration", resource: "prioritylevelconfigurations", scope: "Cluster", subresources: { status: true },
  schema: "io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration",
  default: defaultPriorityLevel,
  strategy: {
    resetFields: { status: [["metadata"], ["spec"]] },
    prepareForCreate(level) {
      level.status = {};
    },
    validate,
    validateUpdate: (level) => validate(level),
    validateStatusUpdate: ({ status }) => validateConditionTypes(status?.conditions),
  },
  columns: [
    nameColumn(),
    { name: "Type", type: "string", description: "`type` indicates whether this priority level is subject to limitation on request execution.  A value of `\"Exempt\"` means that requests of this priority level are not subject to a limit (and thus are never queued) and do not detract from the capacity made available to other priority levels.  A value of `\"Limited\"` means that (a) requests of this priority level _are_ subject to limits and (b) some of the server's limited capacity is made available exclusively to this priority level. Required.", value: ({ spec }) => spec.type ?? "" },
    { name: "NominalConcurrencyShares", type: "string", description: "`nominalConcurrencyShares` (NCS) contributes to the computation of the NominalConcurrencyLimit (NominalCL) of this level. This is the number of execution seats available at this priority level. This is used both for requests dispatched from this priority level as well as requests dispatched from other priority levels borrowing seats from this level. The server's concurrency limit (ServerCL) is divided among the Limited priority levels in proportion to their NCS values:\n\nNominalCL(i)  = ceil( ServerCL * NCS(i) / sum_ncs ) sum_ncs = sum[priority level k] NCS(k)\n\nBigger numbers mean a larger nominal concurrency limit, at the expense of every other priority level.\n\nIf not specified, this field defaults to a value of 30.\n\nSetting this field to zero supports the construction of a \"jail\" for this priority level that is used to hold some request(s)", value: ({ spec }) => spec.limited?.nominalConcurrencyShares ?? "<none>" },
    queuingColumn("Queues", "queues", "`queues` is the number of queues for this priority level. The queues exist independently at each apiserver. The value must be positive.  Setting it to 1 effectively precludes shufflesharding and thus makes the distinguisher method of associated flow schemas irrelevant.  This field has a default value of 64."),
    queuingColumn("HandSize", "handSize", "`handSize` is a small positive number that configures the shuffle sharding of requests into queues.  When enqueuing a request at this priority level the request's flow identifier (a string pair) is hashed and the hash value is used to shuffle the list of queues and deal a hand of the size specified here.  The request is put into one of the shortest queues in that hand. `handSize` must be no larger than `queues`, and should be significantly smaller (so that a few heavy flows do not saturate most of the queues).  See the user-facing documentation for more extensive guidance on setting this field.  This field has a default value of 8."),
    queuingColumn("QueueLengthLimit", "queueLengthLimit", "`queueLengthLimit` is the maximum number of requests allowed to be waiting in a given queue of this priority level at a time; excess requests are rejected.  This value must be positive.  If not specified, it will be defaulted to 50."),
    ageColumn(),
  ],
  example: () => ({ apiVersion: "flowcontrol.apiserver.k8s.io/v1", kind: "PriorityLevelConfiguration", metadata: { name: "example" }, spec: { type: "Limited", limited: { nominalConcurrencyShares: 1, limitResponse: { type: "Reject" } } } }),
});

function queuingColumn(name: string, field: keyof QueuingConfiguration, description: string): Column<PriorityLevelConfiguration> {
  return { name, type: "string", description, value: ({ spec }) => spec.limited?.limitResponse?.queuing?.[field] ?? "<none>" };
}

function defaultPriorityLevel(configuration: PriorityLevelConfiguration): void {
  const { limited, exempt } = (configuration.spec ??= { type: "" });
  configuration.spec.type ??= "";
  configuration.status ??= {};
  if (exempt) {
    exempt.nominalConcurrencyShares ??= 0;
    exempt.lendablePercent ??= 0;
  }
  if (!limited) return;
  limited.nominalConcurrencyShares ??= 30;
  limited.lendablePercent ??= 0;
  const { queuing } = (limited.limitResponse ??= { type: "" });
  limited.limitResponse.type ??= "";
  if (!queuing) return;
  queuing.handSize ||= 8;
  queuing.queues ||= 64;
  queuing.queueLengthLimit ||= 50;
}

const preserveZero = "flowcontrol.k8s.io/v1beta3-preserve-zero-concurrency-shares";

function validate({ metadata: { name = "", annotations }, spec, status }: Frozen<PriorityLevelConfiguration>): FieldError[] {
  return [
    ...(annotations && Object.hasOwn(annotations, preserveZero) ? [forbiddenField("metadata.annotations", `annotation '${preserveZero}' is forbidden`)] : []),
    ...((name === "exempt") === (spec.type === "Exempt") ? [] : [invalidValue("spec.type", spec.type ?? "", "must be 'Exempt' if and only if `name` is 'exempt'")]),
    ...validateType(spec),
    ...validateMandatory(name, spec),
    ...validateConditionTypes(status?.conditions),
  ];
}

function validateType({ type, limited, exempt }: Frozen<PriorityLevelConfigurationSpec>): FieldError[] {
  if (type === "Exempt") return [
    ...(limited ? [forbiddenField("spec.limited", "must be nil if the type is not Limited")] : []),
    ...(exempt ? [...shares("spec.exempt", exempt.nominalConcurrencyShares), ...percent("spec.exempt", exempt.lendablePercent)] : []),
  ];
  if (type !== "Limited") return [type ? notSupported("spec.type", type, ["Exempt", "Limited"]) : required("spec.type")];
  const errors = exempt ? [forbiddenField("spec.exempt", "must be nil if the type is Limited")] : [];
  if (!limited) return [...errors, required("spec.limited", "must not be empty when type is Limited")];
  const { borrowingLimitPercent: borrowing } = limited;
  return [
    ...errors, ...shares("spec.limited", limited.nominalConcurrencyShares), ...validateResponse("spec.limited.limitResponse", limited.limitResponse), ...percent("spec.limited", limited.lendablePercent),
    ...(borrowing !== undefined && borrowing < 0 ? [invalidValue("spec.limited.borrowingLimitPercent", borrowing, "if specified, must be a non-negative integer")] : []),
  ];
}

const shares = (field: string, value = 0): FieldError[] => (value < 0 ? [invalidValue(`${field}.nominalConcurrencyShares`, value, "must be a non-negative integer")] : []);
const percent = (field: string, value = 0): FieldError[] => (value < 0 || value > 100 ? [invalidValue(`${field}.lendablePercent`, value, "must be between 0 and 100, inclusive")] : []);

function validateResponse(field: string, { type = "", queuing }: Partial<Frozen<LimitResponse>> = {}): FieldError[] {
  if (type === "Reject") return queuing ? [forbiddenField(`${field}.queuing`, "must be nil if limited.limitResponse.type is not Limited")] : [];
  if (type !== "Queue") return [type ? notSupported(`${field}.type`, type, ["Queue", "Reject"]) : required(`${field}.type`)];
  return queuing ? validateQueuing(`${field}.queuing`, queuing) : [required(`${field}.queuing`, "must not be empty if limited.limitResponse.type is Limited")];
}

const mostQueues = 10_000_000, hashBits = 60;

function validateQueuing(field: string, { queues, handSize, queueLengthLimit }: Frozen<QueuingConfiguration>): FieldError[] {
  const hand = (message: string): FieldError[] => [invalidValue(`${field}.handSize`, handSize, message)];
  const entropy = Math.ceil(Math.log2(queues) * handSize);
  return [
    ...(queueLengthLimit <= 0 ? [invalidValue(`${field}.queueLengthLimit`, queueLengthLimit, "must be positive")] : []),
    ...(queues <= 0 ? [invalidValue(`${field}.queues`, queues, "must be positive")] : []),
    ...(queues > mostQueues ? [invalidValue(`${field}.queues`, queues, `must not be greater than ${mostQueues}`)] : []),
    ...(handSize <= 0 ? hand("must be positive")
      : handSize > queues ? hand(`should not be greater than queues (${queues})`)
        : entropy > hashBits ? hand(`required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${hashBits}`) : []),
  ];
}

function validateMandatory(name: string, spec: Frozen<PriorityLevelConfigurationSpec>): FieldError[] {
  const fixed = mandatory.priorityLevels.find(({ metadata }) => metadata.name === name)?.spec;
  if (!fixed) return [];
  const exempt = name === "exempt";
  if (semanticEqual(exempt ? { ...spec, exempt: fixed.exempt } : spec, fixed)) return [];
  return [invalidValue("spec", shownPriorityLevelSpec(spec), exempt ? `spec of '${name}' except the 'spec.exempt' field must equal the fixed value` : `spec of '${name}' must equal the fixed value`)];
}
