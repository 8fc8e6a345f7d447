import type { Container, PodSpec, Service } from "../../src/apis/generated/core/v1.ts";
import { busyboxReference } from "./images.ts";

/** A container of busybox that runs a shell script. */
export const shell = (script: string, rest: Partial<Container> = {}): Container => ({ name: "main", image: busyboxReference, command: ["sh", "-c", script], ...rest });

/** Serves what its script has put into /www on port 80. */
export const webServer = (script: string, rest: Partial<Container> = {}): Container =>
  shell(`${script}; exec httpd -f -p 80 -h /www`, { ports: [{ containerPort: 80 }], readinessProbe: { httpGet: { path: "/", port: 80 }, periodSeconds: 1 }, ...rest });

/** A pod that is killed soon after it is deleted, for a shell as process 1 does not heed SIGTERM. */
export const pod = (name: string, container: Container, spec: Partial<PodSpec> = {}, labels: Record<string, string> = { app: name }): object =>
  ({ apiVersion: "v1", kind: "Pod", metadata: { name, labels }, spec: { terminationGracePeriodSeconds: 1, containers: [container], ...spec } });

export const deployment = (name: string, replicas: number, container: Container, { strategy, ...spec }: Partial<PodSpec> & { strategy?: object } = {}): object => ({
  apiVersion: "apps/v1", kind: "Deployment", metadata: { name },
  spec: { replicas, selector: { matchLabels: { app: name } }, ...(strategy ? { strategy } : {}), template: { metadata: { labels: { app: name } }, spec: { terminationGracePeriodSeconds: 1, containers: [container], ...spec } } },
});

export const service = (name: string, spec: Partial<Service["spec"]> & object = {}): object => ({ apiVersion: "v1", kind: "Service", metadata: { name }, spec: { selector: { app: name }, ports: [{ port: 80 }], ...spec } });
