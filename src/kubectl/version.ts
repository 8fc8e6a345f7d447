import type { Service } from "../apis/generated/core/v1.ts";
import { kubernetesVersion } from "../base/version.ts";
import { defineCommand } from "./command.ts";
import { KubectlError } from "./errors.ts";
import { bool, text } from "./flags.ts";
import { yamlText } from "./output.ts";

export const versionCommand = defineCommand({
  name: "version", usage: "version [flags]", summary: "Print the client and server version information",
  flags: { client: bool("If true, shows client version only (no server required)."), output: text("One of 'yaml' or 'json'.", { short: "o" }) },
  async run({ args, flags: given, connect, terminal, usageError }) {
    if (args.length) throw usageError(`extra arguments: [${args.join(" ")}]`);
    if (given.output && given.output !== "json" && given.output !== "yaml") throw new KubectlError("--output must be 'yaml' or 'json'");
    const clientVersion = { major: kubernetesVersion.split(".")[0]!, minor: kubernetesVersion.split(".")[1]!, gitVersion: `v${kubernetesVersion}` };
    let failure: unknown;
    const serverVersion = given.client ? undefined : await connect().then(({ api }) => api.json<{ gitVersion: string }>("/version")).catch((error: unknown) => void (failure = error));
    const all = { clientVersion, ...(serverVersion ? { serverVersion } : {}) };
    if (given.output) terminal.out(given.output === "json" ? `${JSON.stringify(all, null, 2)}\n` : yamlText(all));
    else terminal.out(`Client Version: ${clientVersion.gitVersion}\n${serverVersion ? `Server Version: ${serverVersion.gitVersion}\n` : ""}`);
    if (failure) throw failure;
  },
});

export const clusterInfoCommand = defineCommand({
  name: "cluster-info", usage: "cluster-info [flags]", summary: "Display addresses of the control plane and services with label kubernetes.io/cluster-service=true",
  async run({ connect }) {
    const { api, out } = await connect();
    const { server } = api.connection;
    out(`Kubernetes control plane is running at ${server}\n`);
    const { items } = await api.json<{ items: Service[] }>("/api/v1/namespaces/kube-system/services", { query: { labelSelector: "kubernetes.io/cluster-service=true" } });
    for (const { metadata = {}, spec } of items) {
      const { name: portName = "", port } = spec?.ports?.[0] ?? {};
      const scheme = portName === "https" || port === 443 ? "https" : "";
      const address = scheme ? `${scheme}:${metadata.name}:${portName}` : portName ? `${metadata.name}:${portName}` : metadata.name;
      out(`${metadata.labels?.["kubernetes.io/name"] ?? metadata.name} is running at ${server}/api/v1/namespaces/${metadata.namespace}/services/${address}/proxy\n`);
    }
    out("\nTo further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.\n");
  },
});
