import { describe, expect, test } from "bun:test";
import { render } from "../../../apimachinery/field-errors.ts";
import type { Container, Pod, PodSpec, Volume } from "../../generated/core/v1.ts";
import { pods } from "./pod.ts";

const pod = (spec: Partial<PodSpec>): Pod => {
  const object: Pod = { metadata: { name: "p", namespace: "default" }, spec: { containers: [{ name: "c", image: "nginx" }], ...structuredClone(spec) } };
  pods.default!(object);
  return object;
};
const errors = (spec: Partial<PodSpec>): string[] => pods.strategy.validate!(pod(spec)).map(render);
const withContainer = (fields: Partial<Container>): Partial<PodSpec> => ({ containers: [{ name: "c", image: "nginx", ...fields }] });
const withVolume = (volume: Partial<Volume>): Partial<PodSpec> => ({ volumes: [{ name: "v", ...volume } as Volume] });

test("the smallest pod is valid", () => expect(errors({})).toEqual([]));

test.each([
  ["no containers", { containers: [] }, ["spec.containers: Required value"]],
  ["no name, no image", { containers: [{} as Container] }, ["spec.containers[0].name: Required value", "spec.containers[0].image: Required value"]],
  ["a name twice", { containers: [{ name: "c", image: "a" }, { name: "c", image: "b" }] }, ["spec.containers[1].name: Duplicate value: \"c\""]],
  ["an init container of the same name", { initContainers: [{ name: "c", image: "a" }] }, ["spec.initContainers[0].name: Duplicate value: \"c\""]],
  ["a padded image", withContainer({ image: "nginx " }), ["spec.containers[0].image: Invalid value: \"nginx \": must not have leading or trailing whitespace"]],
  ["restartPolicy", { restartPolicy: "Sometimes" as never }, ["spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"OnFailure\", \"Never\""]],
  ["dnsPolicy None", { dnsPolicy: "None" }, ["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"]],
  ["too many nameservers", { dnsConfig: { nameservers: ["1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4"] } }, ["spec.dnsConfig.nameservers: Invalid value: [\"1.1.1.1\",\"2.2.2.2\",\"3.3.3.3\",\"4.4.4.4\"]: must not have more than 3 nameservers"]],
  ["a search domain with an underscore", { dnsConfig: { searches: ["_tcp.example.com", "."] } }, []],
  ["host port and container port on the host's network", { hostNetwork: true, ...withContainer({ ports: [{ containerPort: 80, hostPort: 81 }] }) }, ["spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true"]],
  ["deadline", { activeDeadlineSeconds: 0 }, ["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"]],
  ["a host alias", { hostAliases: [{ ip: "here" }] }, ["spec.hostAliases[0].ip: Invalid value: \"here\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]],
  ["ephemeral containers", { ephemeralContainers: [{ name: "debug", image: "busybox" }] }, ["spec.ephemeralContainers: Forbidden: cannot be set on create"]],
  ["gates and a node", { nodeName: "n", schedulingGates: [{ name: "g" }] }, ["spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"]],
  ["users of its own on the host's network", { hostUsers: false, hostNetwork: true }, ["spec.hostNetwork: Forbidden: when `hostUsers` is false"]],
] as [string, Partial<PodSpec>, string[]][])("spec: %s", (_, spec, expected) => expect(errors(spec)).toEqual(expected));

const c = "spec.containers[0]";
test("a file with variables is in an emptyDir of the pod", () => {
  const from = (volumes: Volume[], volumeName = "v", key = "K"): string[] => errors({ volumes, ...withContainer({ env: [{ name: "A", valueFrom: { fileKeyRef: { volumeName, path: "f.env", key } } }] }) });
  const at = `${c}.env[0].valueFrom.fileKeyRef`;
  expect(from([{ name: "v", emptyDir: {} }])).toEqual([]);
  expect(from([])).toEqual([`${at}.volumeName: Not found: "v"`]);
  expect(from([{ name: "v", hostPath: { path: "/etc" } }])).toEqual([`${at}.volumeName: Invalid value: "v": referenced volume must be of type emptyDir`]);
  expect(from([{ name: "v", emptyDir: {} }], "v", "A=B").join()).toStartWith(`${at}.key: Invalid value: "A=B"`);
});

test.each([
  ["a port's range", { ports: [{ containerPort: 70000 }] }, [`${c}.ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive`]],
  ["no port", { ports: [{} as never] }, [`${c}.ports[0].containerPort: Required value`]],
  ["a port name twice", { ports: [{ name: "web", containerPort: 1 }, { name: "web", containerPort: 2 }] }, [`${c}.ports[1].name: Duplicate value: "web"`]],
  ["a long port name", { ports: [{ name: "averyveryverylongname", containerPort: 1 }] }, [`${c}.ports[0].name: Invalid value: "averyveryverylongname": must be no more than 15 characters`]],
  ["a host port twice", { ports: [{ containerPort: 1, hostPort: 9 }, { containerPort: 2, hostPort: 9 }] }, [`${c}.ports[1].hostPort: Duplicate value: "TCP//9"`]],
  ["no variable name", { env: [{ name: "", value: "x" }] }, [`${c}.env[0].name: Required value`]],
  ["two sources of a variable", { env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "m", key: "k" }, secretKeyRef: { name: "s", key: "k" } } }] }, [`${c}.env[0].valueFrom: Invalid value: "": may not have more than one field specified at a time`]],
  ["no source", { env: [{ name: "A", valueFrom: {} }] }, [`${c}.env[0].valueFrom: Invalid value: "": must specify one of: \`fieldRef\`, \`resourceFieldRef\`, \`configMapKeyRef\`, \`secretKeyRef\` or \`fileKeyRef\``]],
  ["a value and a source", { env: [{ name: "A", value: "x", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }] }, [`${c}.env[0].valueFrom: Invalid value: "": may not be specified when \`value\` is not empty`]],
  ["a field that only volumes know", { env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.labels" } } }] }, [`${c}.env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "metadata.labels": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"`]],
  ["one label", { env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } }] }, []],
  ["an unknown field", { env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "spec.foo" } } }] }, [`${c}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.foo": error converting fieldPath: field label not supported: spec.foo`]],
  ["an unknown amount", { env: [{ name: "A", valueFrom: { resourceFieldRef: { resource: "limits.gpu" } } }] }, [`${c}.env[0].valueFrom.resourceFieldRef.resource: Unsupported value: "limits.gpu": supported values: "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory"`]],
  ["envFrom nothing", { envFrom: [{}] }, [`${c}.envFrom: Invalid value: "": must specify one of: \`configMapRef\` or \`secretRef\``]],
  ["a mount without volume", { volumeMounts: [{ name: "gone", mountPath: "/x" }] }, [`${c}.volumeMounts[0].name: Not found: "gone"`]],
  ["requests above limits", { resources: { requests: { cpu: "2" }, limits: { cpu: "1" } } }, [`${c}.resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1`]],
  ["a resource with a name that objects have", { resources: { requests: { constructor: "1" } as never } }, [`${c}.resources.requests[constructor]: Invalid value: "constructor": must be a standard resource type or fully qualified`, `${c}.resources.requests[constructor]: Invalid value: "constructor": must be a standard resource for containers`]],
  ["an unknown resource", { resources: { limits: { gpus: "1" } } }, [`${c}.resources.limits[gpus]: Invalid value: "gpus": must be a standard resource type or fully qualified`, `${c}.resources.limits[gpus]: Invalid value: "gpus": must be a standard resource for containers`, `${c}.resources.requests[gpus]: Invalid value: "gpus": must be a standard resource type or fully qualified`, `${c}.resources.requests[gpus]: Invalid value: "gpus": must be a standard resource for containers`]],
  ["a negative amount", { resources: { requests: { memory: "-1" } } }, [`${c}.resources.requests[memory]: Invalid value: "-1": must be greater than or equal to 0`]],
  ["half a device", { resources: { limits: { "example.com/gpu": "500m" } } }, [`${c}.resources.limits[example.com/gpu]: Invalid value: "500m": must be an integer`, `${c}.resources.requests[example.com/gpu]: Invalid value: "500m": must be an integer`]],
  ["an extended resource without limit", { resources: { requests: { "example.com/gpu": "1" } } }, [`${c}.resources.limits: Required value: Limit must be set for non overcommitable resources`]],
  ["a probe without handler", { livenessProbe: {} }, [`${c}.livenessProbe: Required value: must specify a handler type`]],
  ["a probe with two", { readinessProbe: { exec: { command: ["x"] }, tcpSocket: { port: 1 } } }, [`${c}.readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type`]],
  ["two successes of a liveness probe", { livenessProbe: { tcpSocket: { port: 1 }, successThreshold: 2 } }, [`${c}.livenessProbe.successThreshold: Invalid value: 2: must be 1`]],
  ["a negative delay", { startupProbe: { tcpSocket: { port: 1 }, initialDelaySeconds: -1 } }, [`${c}.startupProbe.initialDelaySeconds: Invalid value: -1: must be greater than or equal to 0`]],
  ["a hook that sleeps too long", { lifecycle: { preStop: { sleep: { seconds: 60 } } } }, [`${c}.lifecycle.preStop.sleep: Invalid value: 60: must be non-negative and less than terminationGracePeriodSeconds (30)`]],
  ["a user id", { securityContext: { runAsUser: -1 } }, [`${c}.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive`]],
  ["privileged without escalation", { securityContext: { privileged: true, allowPrivilegeEscalation: false } }, [`${c}.securityContext: Invalid value: {"privileged":true,"allowPrivilegeEscalation":false}: cannot set \`allowPrivilegeEscalation\` to false and \`privileged\` to true`]],
  ["a pull policy", { imagePullPolicy: "Maybe" as never }, [`${c}.imagePullPolicy: Unsupported value: "Maybe": supported values: "Always", "IfNotPresent", "Never"`]],
] as [string, Partial<Container>, string[]][])("container: %s", (_, fields, expected) => expect(errors(withContainer(fields))).toEqual(expected));

describe("mounts", () => {
  const mounted = (volumeMounts: Container["volumeMounts"]): string[] => errors({ ...withVolume({ emptyDir: {} }), ...withContainer({ volumeMounts }) });
  test("of one volume at two paths", () => expect(mounted([{ name: "v", mountPath: "/a" }, { name: "v", mountPath: "/b" }])).toEqual([]));
  test("at one path twice", () => expect(mounted([{ name: "v", mountPath: "/a" }, { name: "v", mountPath: "/a" }])).toEqual([`${c}.volumeMounts[1].mountPath: Invalid value: "/a": must be unique`]));
  test("without path", () => expect(mounted([{ name: "v" } as never])).toEqual([`${c}.volumeMounts[0].mountPath: Required value`]));
  test("of a sub-path outside", () => expect(mounted([{ name: "v", mountPath: "/a", subPath: "../etc" }])).toEqual([`${c}.volumeMounts.subPath: Invalid value: "../etc": must not contain '..'`]));
  test("both ways, unprivileged", () => expect(mounted([{ name: "v", mountPath: "/a", mountPropagation: "Bidirectional" }])).toEqual([`${c}.volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers`]));
});

const v = "spec.volumes[0]";
test.each([
  ["two sources", { emptyDir: {}, secret: { secretName: "s" } }, [`${v}.secret: Forbidden: may not specify more than 1 volume type`]],
  ["a bad name", { name: "V", emptyDir: {} }, [`${v}.name: Invalid value: "V": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`]],
  ["a secret without name", { secret: {} }, [`${v}.secret.secretName: Required value`]],
  ["a config map's mode", { configMap: { name: "m", defaultMode: 0o1000 } }, [`${v}.configMap.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive`]],
  ["a path outside", { configMap: { name: "m", items: [{ key: "k", path: "../x" }] } }, [`${v}.configMap.items[0].path: Invalid value: "../x": must not contain '..'`]],
  ["the kubelet's own names", { configMap: { name: "m", items: [{ key: "k", path: "..data" }] } }, [`${v}.configMap.items[0].path: Invalid value: "..data": must not start with '..'`]],
  ["a kind of host path", { hostPath: { path: "/x", type: "Thing" as never } }, [`${v}.hostPath.type: Unsupported value: "Thing": supported values: "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"`]],
  ["no host path", { hostPath: { path: "" } }, [`${v}.hostPath.path: Required value`]],
  ["a claim without name", { persistentVolumeClaim: { claimName: "" } }, [`${v}.persistentVolumeClaim.claimName: Required value`]],
  ["a short-lived token", { projected: { sources: [{ serviceAccountToken: { path: "t", expirationSeconds: 60 } }] } }, [
    `${v}.projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes`,
    `${v}.projected.sources[0].serviceAccountToken: Forbidden: must not be specified when serviceAccountName is not set`,
  ]],
  ["two projections to one path", { projected: { sources: [{ secret: { name: "a", items: [{ key: "k", path: "p" }] } }, { configMap: { name: "b", items: [{ key: "k", path: "p" }] } }] } }, [`${v}.projected: Invalid value: "b": conflicting duplicate paths`]],
  ["a downward file without source", { downwardAPI: { items: [{ path: "x" }] } }, [`${v}.downwardAPI: Required value: one of fieldRef and resourceFieldRef is required`]],
] as [string, Partial<Volume>, string[]][])("volume: %s", (_, volume, expected) => expect(errors(withVolume(volume))).toEqual(expected));

test("a hostname that replaces the pod's own", () => {
  const at = "spec.hostnameOverride";
  expect(errors({ hostnameOverride: "a.example.com" })).toEqual([]);
  expect(errors({ hostnameOverride: `${"a".repeat(60)}.${"b".repeat(4)}`, setHostnameAsFQDN: true, hostNetwork: true })).toEqual([
    `${at}: Forbidden: may not be specified when setHostnameAsFQDN is true`, `${at}: Forbidden: may not be specified when hostNetwork is true`, `${at}: Too long: may not be more than 64 bytes`,
  ]);
});

test.each([
  ["a volume name twice", { volumes: [{ name: "v", emptyDir: {} }, { name: "v", emptyDir: {} }] }, ["spec.volumes[1].name: Duplicate value: \"v\""]],
  ["toleration of everything but with a value", { tolerations: [{ operator: "Exists", value: "x" }] }, ["spec.tolerations[0].operator: Invalid value: \"x\": value must be empty when `operator` is 'Exists'"]],
  ["toleration without key", { tolerations: [{ effect: "NoSchedule" }] }, ["spec.tolerations[0].operator: Invalid value: \"\": operator must be Exists when `key` is empty, which means \"match all values and all keys\""]],
  ["seconds of another effect", { tolerations: [{ key: "k", operator: "Exists", effect: "NoSchedule", tolerationSeconds: 1 }] }, ["spec.tolerations[0].effect: Invalid value: \"NoSchedule\": effect must be 'NoExecute' when `tolerationSeconds` is set"]],
  ["node affinity without terms", { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } } }, ["spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term"]],
  ["pod affinity without topology", { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector: {}, topologyKey: "zone" }, { labelSelector: {} } as never] } } }, [
    "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[1].topologyKey: Required value: can not be empty",
    "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[1].topologyKey: Invalid value: \"\": name part must be non-empty",
  ]],
  ["no skew", { topologySpreadConstraints: [{ maxSkew: 0, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule", labelSelector: {} }] }, ["spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero"]],
  ["a sysctl twice", { securityContext: { sysctls: [{ name: "net.core.somaxconn", value: "1" }, { name: "net.core.somaxconn", value: "2" }] } }, ["spec.securityContext.sysctls[1].name: Duplicate value: \"net.core.somaxconn\""]],
  ["a network sysctl of the host", { hostNetwork: true, securityContext: { sysctls: [{ name: "net.core.somaxconn", value: "1" }] } }, ["spec.securityContext.sysctls[0].name: Invalid value: \"net.core.somaxconn\": may not be specified when 'hostNetwork' is true"]],
  ["a probe of an init container", { initContainers: [{ name: "i", image: "a", livenessProbe: { tcpSocket: { port: 1 } } }] }, ["spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always"]],
  ["a probe of a sidecar", { initContainers: [{ name: "i", image: "a", restartPolicy: "Always", livenessProbe: { tcpSocket: { port: 1 } } }] }, []],
] as [string, Partial<PodSpec>, string[]][])("%s", (_, spec, expected) => {
  const found = errors(spec);
  expect(found.slice(0, expected.length)).toEqual(expected);
  if (expected.length < 2) expect(found).toHaveLength(expected.length);
});

describe("updates", () => {
  const base: Partial<PodSpec> = { nodeName: "n", activeDeadlineSeconds: 100, tolerations: [{ key: "a", operator: "Exists" }] };
  const update = (change: (object: Pod) => void): string[] => {
    const old = pod(base), object = structuredClone(old);
    change(object);
    pods.strategy.prepareForUpdate!(object, old);
    return pods.strategy.validateUpdate!(object, old).map(render);
  };
  test.each([
    ["nothing", () => undefined],
    ["labels", (object) => { object.metadata.labels = { a: "b" }; }],
    ["image", (object) => { object.spec.containers[0]!.image = "nginx:2"; }],
    ["a shorter deadline", (object) => { object.spec.activeDeadlineSeconds = 50; }],
    ["one more toleration", (object) => { object.spec.tolerations!.push({ key: "b", operator: "Exists" }); }],
  ] as [string, (object: Pod) => void][])("of %s", (_, change) => expect(update(change)).toEqual([]));
  test.each([
    ["a longer deadline", (object) => { object.spec.activeDeadlineSeconds = 200; }, "spec.activeDeadlineSeconds: Invalid value: 200: must be less than or equal to previous value"],
    ["no deadline", (object) => { delete object.spec.activeDeadlineSeconds; }, "spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value"],
    ["a toleration less", (object) => { object.spec.tolerations = []; }, "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"],
    ["a container more", (object) => { object.spec.containers.push({ ...object.spec.containers[0]!, name: "d" }); }, "spec.containers: Forbidden: pod updates may not add or remove containers"],
    ["another command", (object) => { object.spec.containers[0]!.command = ["x"]; }, "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n"],
    ["another node", (object) => { object.spec.nodeName = "m"; }, "spec: Forbidden: pod updates may not change fields other than"],
    ["a new gate", (object) => { object.spec.schedulingGates = [{ name: "g" }]; }, "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'g'"],
  ] as [string, (object: Pod) => void, string][])("not of %s", (_, change, expected) => {
    const found = update(change);
    expect(found).toHaveLength(1);
    expect(found[0]).toStartWith(expected);
  });
  describe("of a gated pod", () => {
    const required = (...keys: string[]): PodSpec["affinity"] => ({ nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: keys.map((key) => ({ key, operator: "Exists" as const })) }] } } });
    const narrow = (from: Partial<PodSpec>, to: Partial<PodSpec>): string[] => {
      const gates = { schedulingGates: [{ name: "example.com/wait" }] };
      return pods.strategy.validateUpdate!(pod({ ...gates, ...to }), pod({ ...gates, ...from })).map(render);
    };
    const at = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
    test.each([
      ["a node selector", {}, { nodeSelector: { a: "1" } }, []],
      ["node affinity", {}, { affinity: required("a") }, []],
      ["more node affinity", { affinity: required("a") }, { affinity: required("a", "b") }, []],
      ["another node selector", { nodeSelector: { a: "1" } }, { nodeSelector: { a: "2" } }, ["spec.nodeSelector: Invalid value: {\"a\":\"2\"}: only additions to spec.nodeSelector are allowed (no mutations or deletions)"]],
      ["less node affinity", { affinity: required("a") }, {}, [`${at}: Invalid value: []: no additions/deletions to non-empty NodeSelectorTerms list are allowed`]],
      ["other node affinity", { affinity: required("a") }, { affinity: required("b") }, [`${at}[0]: Invalid value: {"matchExpressions":[{"key":"b","operator":"Exists"}]}: only additions are allowed (no mutations or deletions)`]],
    ] as [string, Partial<PodSpec>, Partial<PodSpec>, string[]][])("to %s", (_, from, to, expected) => expect(narrow(from, to)).toEqual(expected));
    test("not to another command", () => expect(narrow({}, withContainer({ command: ["x"] }))).toHaveLength(1));
  });
  test("leave ephemeral containers to their subresource, which may add some", () => {
    expect(update((object) => { object.spec.ephemeralContainers = [{ name: "debug", image: "busybox" }]; })).toEqual([]);
    const old = pod(base), object = structuredClone(old);
    object.spec.ephemeralContainers = [{ name: "debug", image: "busybox", targetContainerName: "c" }];
    pods.default!(object);
    expect(pods.strategy.validateUpdate!(object, old)).toEqual([]);
    const changed = structuredClone(object);
    changed.spec.ephemeralContainers![0]!.image = "other";
    expect(pods.strategy.validateUpdate!(changed, object).map(render)).toEqual(["spec.ephemeralContainers: Forbidden: existing ephemeral containers \"debug\" may not be changed\n"]);
  });
  test("of status keep ended containers ended, unless they are restarted", () => {
    const old = pod({ restartPolicy: "Never" }), state = { name: "c", ready: false, restartCount: 0, image: "", imageID: "" };
    old.status = { containerStatuses: [{ ...state, state: { terminated: { exitCode: 1 } } }] };
    const object = structuredClone(old);
    object.status!.containerStatuses![0]!.state = { running: {} };
    expect(pods.strategy.validateStatusUpdate!(object, old).map(render)).toEqual(["status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state"]);
    old.spec.restartPolicy = "OnFailure";
    expect(pods.strategy.validateStatusUpdate!(object, old)).toEqual([]);
    old.spec.restartPolicy = "Never";
    old.spec.containers.push({ name: "other", image: "x", restartPolicy: "Never", restartPolicyRules: [{ action: "RestartAllContainers", exitCodes: { operator: "In", values: [42] } }] });
    expect(pods.strategy.validateStatusUpdate!(object, old)).toEqual([]);
  });
});

test("warnings say what is probably not meant, when it is new", () => {
  const object = pod({ nodeSelector: { "beta.kubernetes.io/os": "linux" }, ...withContainer({ env: [{ name: "A", value: "1" }, { name: "A", value: "2" }], ports: [{ containerPort: 80 }, { containerPort: 80 }], resources: { requests: { memory: "100m" } } }) });
  expect(pods.strategy.warnings!(object)).toEqual([
    "spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use \"kubernetes.io/os\" instead",
    "spec.containers[0].resources.requests[memory]: fractional byte value \"100m\" is invalid, must be an integer",
    "spec.containers[0].env[1]: hides previous definition of \"A\", which may be dropped when using apply",
    "spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]",
  ]);
  expect(pods.strategy.warnings!(object, structuredClone(object))).toEqual([]);
});

test("warnings of names, annotations and addresses", () => {
  const object = pod({ hostAliases: [{ ip: "::ffff:1.2.3.4" }], dnsConfig: { nameservers: ["FD00::1"] } });
  object.metadata = { name: "a.b", annotations: { "scheduler.alpha.kubernetes.io/critical-pod": "" } };
  expect(pods.strategy.warnings!(object)).toEqual([
    "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]",
    "spec.dnsConfig.nameservers[0]: IPv6 address \"FD00::1\" should be in RFC 5952 canonical format (\"fd00::1\")",
    "spec.hostAliases[0].ip: non-standard IP address \"::ffff:1.2.3.4\" is invalid: use \"1.2.3.4\"",
    "metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in v1.16+; use the \"priorityClassName\" field instead",
  ]);
});
