const prefix = "/registry/core/pods/bench/";
export const podsPrefix = prefix;
export const podKey = (name: string): string => `${prefix}${name}`;

export const mapsPrefix = "/registry/core/configmaps/bench/";
export const mapKey = (number: number): string => `${mapsPrefix}map-${String(number).padStart(6, "0")}`;

const encoder = new TextEncoder();
const manager = (name: string, fields: string): object => ({ manager: name, operation: "Update", apiVersion: "v1", time: "2026-01-01T00:00:00Z", fieldsType: "FieldsV1", fieldsV1: { [`f:${fields}`]: { ".": {}, "f:conditions": { 'k:{"type":"Ready"}': { ".": {}, "f:status": {}, "f:type": {} } }, "f:containers": { 'k:{"name":"main"}': { ".": {}, "f:image": {}, "f:name": {}, "f:resources": {} } } } } });
const condition = (type: string): object => ({ type, status: "True", lastProbeTime: null, lastTransitionTime: "2026-01-01T00:00:05Z", observedGeneration: 1 });
const [before, afterName, afterUid, afterTurn, end] = JSON.stringify({
  kind: "Pod", apiVersion: "v1",
  metadata: {
    name: "@", generateName: "web-7d9f8c6b5-", namespace: "bench", uid: "@", generation: 1, creationTimestamp: "2026-01-01T00:00:00Z", labels: { app: "web", "pod-template-hash": "7d9f8c6b5" }, annotations: { turn: "@" },
    ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "web-7d9f8c6b5", uid: "5f0c3f2e-6d3b-4a51-9d0e-1c8d7a3b2f10", controller: true, blockOwnerDeletion: true }],
    managedFields: [manager("kube-controller-manager", "spec"), { ...manager("kubelet", "status"), subresource: "status" }],
  },
  spec: {
    containers: [{ name: "main", image: "localhost/web:1.27", ports: [{ containerPort: 80, protocol: "TCP" }], env: [{ name: "COLOUR", value: "blue" }], resources: { limits: { memory: "64Mi" }, requests: { cpu: "10m", memory: "16Mi" } }, volumeMounts: [{ name: "kube-api-access", readOnly: true, mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" }], terminationMessagePath: "/dev/termination-log", terminationMessagePolicy: "File", imagePullPolicy: "IfNotPresent" }],
    restartPolicy: "Always", terminationGracePeriodSeconds: 30, dnsPolicy: "ClusterFirst", serviceAccountName: "default", nodeName: "node-1", securityContext: {}, schedulerName: "default-scheduler", priority: 0, enableServiceLinks: true, preemptionPolicy: "PreemptLowerPriority",
  },
  status: { phase: "Running", conditions: ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"].map(condition), hostIP: "10.0.0.1", podIP: "@", startTime: "2026-01-01T00:00:00Z", qosClass: "Burstable" },
}).split("@") as [string, string, string, string, string];

/** A pod that runs, as it is stored, 2.6 kB of JSON: what tells one from another differs, and each `turn` of one from the last. */
export const podValue = (name: string, turn: number): Uint8Array =>
  encoder.encode(`${before}${name}${afterName}${crypto.randomUUID()}${afterUid}${turn}${afterTurn}10.42.${turn % 250}.${name.length}${end}`);

/** A ConfigMap of 1 kB, half of which is nothing that shrinks. */
export const mapValue = (number: number, turn: number): Uint8Array =>
  encoder.encode(JSON.stringify({ kind: "ConfigMap", apiVersion: "v1", metadata: { name: `map-${String(number).padStart(6, "0")}`, namespace: "bench", uid: crypto.randomUUID(), creationTimestamp: "2026-01-01T00:00:00Z" }, data: { turn: String(turn), noise: Buffer.from(crypto.getRandomValues(new Uint8Array(300))).toString("base64"), text: "the same words again and again, ".repeat(12) } }));
