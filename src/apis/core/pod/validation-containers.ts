import { forbiddenField, invalidValue, notFoundValue, notSupported, required, tooMany, type FieldError } from "../../../apimachinery/field-errors.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import type { Container, ContainerPort, PodSpec, VolumeMount } from "../../generated/core/v1.ts";
import { dnsLabel, given, oneOf, portName, portNumber, relativePath, stated, unique } from "../field-rules.ts";
import { validateResizePolicies } from "./validation-claims.ts";
import { validateDevices } from "./validation-devices.ts";
import { validateEnv, validateEnvFileVolumes, validateEnvFrom } from "./validation-env.ts";
import { validateProbesAndHooks } from "./validation-handlers.ts";
import { validateResources } from "./validation-resources.ts";
import { validateContainerSecurity } from "./validation-security.ts";

/** What a container's rules depend on outside of itself. */
interface Surroundings {
  spec: Frozen<PodSpec>;
  volumes: ReadonlySet<string>;
  claims: ReadonlySet<string>;
}

/** Init containers, containers and ephemeral containers: their own rules, and that their names differ. */
export function validateContainers(field: string, spec: Frozen<PodSpec>, volumes: ReadonlySet<string>): FieldError[] {
  const around: Surroundings = { spec, volumes, claims: new Set((spec.resourceClaims ?? []).map(({ name }) => name)) };
  const { containers = [], initContainers = [], ephemeralContainers = [] } = spec;
  const names = new Set<string>();
  const errors: FieldError[] = containers.length === 0 ? [required(`${field}.containers`)] : [];
  for (const [index, container] of containers.entries()) {
    const at = `${field}.containers[${index}]`;
    errors.push(...validateContainer(at, container, around), ...unique(`${at}.name`, names, container.name));
    errors.push(...validateProbesAndHooks(at, container, spec.terminationGracePeriodSeconds), ...validateRestartPolicy(at, container));
  }
  errors.push(...hostPortConflicts(`${field}.containers`, containers));
  for (const [index, container] of initContainers.entries()) {
    const at = `${field}.initContainers[${index}]`;
    errors.push(...validateContainer(at, container, around), ...unique(`${at}.name`, names, container.name));
    errors.push(...validateRestartPolicy(at, container), ...hostPortConflicts(`${field}.initContainers`, [container]));
    errors.push(...(container.restartPolicy === "Always" ? validateProbesAndHooks(at, container, spec.terminationGracePeriodSeconds) : withoutProbesAndHooks(at, container)));
  }
  const targets = new Set(names);
  for (const [index, container] of ephemeralContainers.entries()) {
    const at = `${field}.ephemeralContainers[${index}]`;
    errors.push(...validateContainer(at, container, around), ...unique(`${at}.name`, names, container.name), ...withoutWhatEphemeralLack(at, container));
    if (container.targetContainerName && !targets.has(container.targetContainerName)) errors.push(notFoundValue(`${at}.targetContainerName`, container.targetContainerName));
  }
  return errors;
}

function validateContainer(field: string, container: Frozen<Container>, { spec, volumes, claims }: Surroundings): FieldError[] {
  return [
    ...(container.name ? dnsLabel(`${field}.name`, container.name) : [required(`${field}.name`)]),
    ...(container.image ? [] : [required(`${field}.image`)]),
    ...oneOf(`${field}.terminationMessagePolicy`, container.terminationMessagePolicy, ["File", "FallbackToLogsOnError"]),
    ...validatePorts(`${field}.ports`, container.ports),
    ...validateEnv(`${field}.env`, container.env),
    ...validateEnvFileVolumes(`${field}.env`, container.env, spec.volumes),
    ...validateEnvFrom(`${field}.envFrom`, container.envFrom),
    ...validateMounts(`${field}.volumeMounts`, container, volumes),
    ...validateDevices(`${field}.volumeDevices`, container, volumes, spec.volumes),
    ...oneOf(`${field}.imagePullPolicy`, container.imagePullPolicy, ["Always", "IfNotPresent", "Never"]),
    ...validateResources(`${field}.resources`, container.resources, claims),
    ...validateResizePolicies(`${field}.resizePolicy`, container.resizePolicy, spec.restartPolicy),
    ...validateContainerSecurity(`${field}.securityContext`, container.securityContext, spec.hostUsers !== false),
  ];
}

function validatePorts(field: string, ports: Frozen<ContainerPort[]> | undefined): FieldError[] {
  const names = new Set<string>();
  return (ports ?? []).flatMap(({ name, containerPort, hostPort, protocol }, index) => {
    const at = `${field}[${index}]`;
    const wrongName = given(name, (value) => portName(`${at}.name`, value));
    return [
      ...wrongName,
      ...(name && wrongName.length === 0 ? unique(`${at}.name`, names, name) : []),
      ...(containerPort ? portNumber(`${at}.containerPort`, containerPort) : [required(`${at}.containerPort`)]),
      ...(hostPort ? portNumber(`${at}.hostPort`, hostPort) : []),
      ...oneOf(`${at}.protocol`, protocol, ["SCTP", "TCP", "UDP"]),
    ];
  });
}

function hostPortConflicts(field: string, containers: Frozen<Container[]>): FieldError[] {
  const taken = new Set<string>(), errors: FieldError[] = [];
  for (const [index, { ports = [] }] of containers.entries()) {
    for (const [place, { hostPort, hostIP = "", protocol }] of ports.entries()) {
      if (hostPort) errors.push(...unique(`${field}[${index}].ports[${place}].hostPort`, taken, `${protocol}/${hostIP}/${hostPort}`));
    }
  }
  return errors;
}

function validateMounts(field: string, container: Frozen<Container>, volumes: ReadonlySet<string>): FieldError[] {
  const paths = new Set<string>();
  return (container.volumeMounts ?? []).flatMap((mount, index) => {
    const at = `${field}[${index}]`, { name, mountPath = "", subPath, subPathExpr } = mount;
    const errors: FieldError[] = name ? [] : [required(`${at}.name`)];
    if (!volumes.has(name)) errors.push(notFoundValue(`${at}.name`, name ?? ""));
    if (!mountPath) errors.push(required(`${at}.mountPath`));
    if (paths.has(mountPath)) errors.push(invalidValue(`${at}.mountPath`, mountPath, "must be unique"));
    paths.add(mountPath);
    // Kubernetes leaves the index out of these.
    errors.push(...given(subPath, (path) => relativePath(`${field}.subPath`, path)), ...given(subPathExpr, (path) => relativePath(`${field}.subPathExpr`, path)));
    if (subPath && subPathExpr) errors.push(invalidValue(`${at}.subPathExpr`, subPathExpr, "subPathExpr and subPath are mutually exclusive"));
    return [...errors, ...validatePropagation(field, mount, container)];
  });
}

function validatePropagation(field: string, { readOnly, recursiveReadOnly, mountPropagation }: Frozen<VolumeMount>, container: Frozen<Container>): FieldError[] {
  const errors = stated(`${field}.mountPropagation`, mountPropagation, ["Bidirectional", "HostToContainer", "None"]);
  if (mountPropagation === "Bidirectional" && !container.securityContext?.privileged) {
    errors.push(forbiddenField(`${field}.mountPropagation`, "Bidirectional mount propagation is available only to privileged containers"));
  }
  const at = `${field}.recursiveReadOnly`;
  errors.push(...stated(at, recursiveReadOnly, ["Disabled", "Enabled", "IfPossible"]));
  if (recursiveReadOnly !== "Enabled" && recursiveReadOnly !== "IfPossible") return errors;
  if (!readOnly) errors.push(forbiddenField(at, "may only be specified when readOnly is true"));
  if (mountPropagation !== undefined && mountPropagation !== "None") errors.push(forbiddenField(at, "may only be specified when mountPropagation is None or not specified"));
  return errors;
}

/** The restart policy of one container, and the exit codes that override it. */
function validateRestartPolicy(field: string, { restartPolicy, restartPolicyRules: rules = [] }: Frozen<Container>): FieldError[] {
  const errors = stated(`${field}.restartPolicy`, restartPolicy, ["Always", "Never", "OnFailure"]);
  if (restartPolicy === undefined && rules.length > 0) errors.push(required(`${field}.restartPolicy`, "must specify restartPolicy when restart rules are used"));
  if (rules.length > 20) errors.push(tooMany(`${field}.restartPolicyRules`, rules.length, 20));
  for (const [index, { action, exitCodes }] of rules.entries()) {
    const at = `${field}.restartPolicyRules[${index}]`;
    if (action !== "Restart" && action !== "RestartAllContainers") errors.push(notSupported(`${at}.action`, action ?? "", ["Restart", "RestartAllContainers"]));
    if (!exitCodes) errors.push(required(`${at}.exitCodes`, "must be specified"));
    else if (exitCodes.operator !== "In" && exitCodes.operator !== "NotIn") errors.push(notSupported(`${at}.exitCodes.operator`, exitCodes.operator ?? "", ["In", "NotIn"]));
  }
  return errors;
}

const probesAndHooks = ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] as const;

function withoutProbesAndHooks(field: string, container: Frozen<Container>): FieldError[] {
  return probesAndHooks.filter((name) => container[name]).map((name) => forbiddenField(`${field}.${name}`, "may not be set for init containers without restartPolicy=Always"));
}

const ephemeralLack = ["ports", "resizePolicy", "restartPolicy", ...probesAndHooks] as const;

/** Debugging containers are not part of the pod's work: nothing may rely on them. */
function withoutWhatEphemeralLack(field: string, container: Frozen<Container>): FieldError[] {
  const reason = "cannot be set for an Ephemeral Container";
  const errors = ephemeralLack.filter((name) => container[name] !== undefined).map((name) => forbiddenField(`${field}.${name}`, reason));
  if (Object.keys(container.resources ?? {}).length > 0) errors.push(forbiddenField(`${field}.resources`, reason));
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    for (const name of ["subPath", "subPathExpr"] as const) if (mount[name]) errors.push(forbiddenField(`${field}.volumeMounts[${index}].${name}`, reason));
  }
  return errors;
}
