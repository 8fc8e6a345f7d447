import { defineCommand, defineGroup } from "./command.ts";
import { KubectlError } from "./errors.ts";
import { bool, text } from "./flags.ts";
import { mergedKubeconfig } from "./kubeconfig.ts";
import { goJson, type PlainObject } from "./objects.ts";
import { printerOf, yamlText } from "./output.ts";
import { aligned } from "./table.ts";

const dataFields: Readonly<Record<string, string>> = { "certificate-authority-data": "DATA+OMITTED", "client-certificate-data": "DATA+OMITTED", "client-key-data": "DATA+OMITTED", token: "REDACTED", password: "REDACTED" };

const view = defineCommand({
  name: "view", usage: "view [flags]", summary: "Display merged kubeconfig settings or a specified kubeconfig file", flags: { raw: bool("Display raw byte data and sensitive data"), minify: bool("Remove all information not used by current-context from the output"), output: text("Output format", { short: "o", default: "yaml" }) },
  async run({ flags: given, flags, terminal }) {
    const { clusters, users, contexts, currentContext } = mergedKubeconfig(flags as unknown as { kubeconfig: string });
    const context = contexts.find(({ name }) => name === currentContext);
    const shown = (list: typeof clusters, field: string, only: unknown): object[] => list.filter(({ name }) => !given.minify || name === only).map(({ name, value }) => ({ name, [field]: given.raw ? value : Object.fromEntries(Object.entries(value).map(([key, content]) => [key, dataFields[key] ?? content])) }));
    const config = { apiVersion: "v1", kind: "Config", clusters: shown(clusters, "cluster", context?.value["cluster"]), contexts: shown(contexts, "context", currentContext), "current-context": currentContext, users: shown(users, "user", context?.value["user"]) };
    if (given.output === "json") terminal.out(`${goJson(config, 4)}\n`);
    else terminal.out(given.output === "yaml" ? yamlText(config) : printerOf(given.output)(config as unknown as PlainObject));
  },
});

const currentContext = defineCommand({
  name: "current-context", usage: "current-context [flags]", summary: "Display the current-context",
  async run({ flags, terminal }) {
    const { currentContext: name } = mergedKubeconfig(flags as unknown as { kubeconfig: string });
    if (!name) throw new KubectlError("current-context is not set");
    terminal.out(`${name}\n`);
  },
});

const getContexts = defineCommand({
  name: "get-contexts", usage: "get-contexts [(-o|--output=)name)]", summary: "Describe one or many contexts", flags: { output: text("Output format. One of: (name).", { short: "o" }), noHeaders: bool("When using the default or custom-column output format, don't print headers (default print headers).") },
  async run({ flags, flags: given, terminal }) {
    const { contexts, currentContext: current } = mergedKubeconfig(flags as unknown as { kubeconfig: string });
    if (given.output === "name") return terminal.out(contexts.map(({ name }) => `${name}\n`).join(""));
    const text = (value: unknown): string => (typeof value === "string" ? value : "");
    terminal.out(aligned([...(given.noHeaders ? [] : [["CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"]]), ...contexts.map(({ name, value }) => [name === current ? "*" : "", name, text(value["cluster"]), text(value["user"]), text(value["namespace"])])]));
  },
});

export const configCommand = defineGroup({ name: "config", summary: "Show the kubeconfig", subcommands: [currentContext, getContexts, view] });
