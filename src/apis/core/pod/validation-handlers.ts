import { forbiddenField, invalidValue, required, type FieldError } from "../../../apimachinery/field-errors.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import type { Container, HTTPGetAction, Lifecycle, LifecycleHandler, Probe } from "../../generated/core/v1.ts";
import { nonNegative, oneOf, portNumber, portNumberOrName } from "../field-rules.ts";

/** Probes and hooks of a container that may have them. */
export function validateProbesAndHooks(field: string, container: Frozen<Container>, gracePeriod: number | undefined): FieldError[] {
  const { lifecycle, livenessProbe, readinessProbe, startupProbe } = container;
  return [
    ...(lifecycle ? validateLifecycle(`${field}.lifecycle`, lifecycle, gracePeriod) : []),
    ...(livenessProbe ? validateProbe(`${field}.livenessProbe`, livenessProbe, true) : []),
    ...(readinessProbe ? validateProbe(`${field}.readinessProbe`, readinessProbe, false) : []),
    ...(startupProbe ? validateProbe(`${field}.startupProbe`, startupProbe, true) : []),
  ];
}

function validateLifecycle(field: string, { postStart, preStop }: Frozen<Lifecycle>, gracePeriod: number | undefined): FieldError[] {
  return [
    ...(postStart ? validateHandler(`${field}.postStart`, postStart, gracePeriod) : []),
    ...(preStop ? validateHandler(`${field}.preStop`, preStop, gracePeriod) : []),
  ];
}

/** `fatal` probes kill the container; one success is enough for them. */
function validateProbe(field: string, probe: Frozen<Probe>, fatal: boolean): FieldError[] {
  const errors = validateHandler(field, probe, undefined);
  for (const name of ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] as const) errors.push(...nonNegative(`${field}.${name}`, probe[name]));
  const grace = probe.terminationGracePeriodSeconds;
  if (grace !== undefined && grace <= 0) errors.push(invalidValue(`${field}.terminationGracePeriodSeconds`, grace, "must be greater than 0"));
  if (fatal && probe.successThreshold !== 1) errors.push(invalidValue(`${field}.successThreshold`, probe.successThreshold, "must be 1"));
  if (!fatal && grace !== undefined) errors.push(invalidValue(`${field}.terminationGracePeriodSeconds`, grace, "must not be set for readinessProbes"));
  return errors;
}

const handlers = ["exec", "httpGet", "tcpSocket", "grpc", "sleep"] as const;

function validateHandler(field: string, handler: Frozen<LifecycleHandler & Probe>, gracePeriod: number | undefined): FieldError[] {
  const [first, ...others] = handlers.filter((name) => handler[name] !== undefined);
  if (!first) return [required(field, "must specify a handler type")];
  const at = `${field}.${first}`;
  return [...validateAction(at, first, handler, gracePeriod), ...others.map((name) => forbiddenField(`${field}.${name}`, "may not specify more than 1 handler type"))];
}

function validateAction(field: string, name: (typeof handlers)[number], handler: Frozen<LifecycleHandler & Probe>, gracePeriod: number | undefined): FieldError[] {
  switch (name) {
    case "exec": return handler.exec!.command?.length ? [] : [required(`${field}.command`)];
    case "httpGet": return validateHttpGet(field, handler.httpGet!);
    case "tcpSocket": return portNumberOrName(`${field}.port`, handler.tcpSocket!.port ?? 0);
    case "grpc": return portNumber(`${field}.port`, handler.grpc!.port ?? 0);
    case "sleep": {
      const seconds = handler.sleep!.seconds ?? 0;
      // A negative grace period is read as one second.
      const granted = gracePeriod !== undefined && gracePeriod < 0 ? 1 : gracePeriod;
      if (granted === undefined || (seconds >= 0 && seconds <= granted)) return [];
      return [invalidValue(field, seconds, `must be non-negative and less than terminationGracePeriodSeconds (${granted})`)];
    }
  }
}

const headerMessage = "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";

function validateHttpGet(field: string, { path, port, scheme, httpHeaders }: Frozen<HTTPGetAction>): FieldError[] {
  return [
    ...(path ? [] : [required(`${field}.path`)]),
    ...portNumberOrName(`${field}.port`, port ?? 0),
    ...oneOf(`${field}.scheme`, scheme, ["HTTP", "HTTPS"]),
    ...(httpHeaders ?? []).filter(({ name }) => !/^[-A-Za-z0-9]+$/.test(name ?? "")).map(({ name = "" }) => invalidValue(`${field}.httpHeaders`, name, headerMessage)),
  ];
}
