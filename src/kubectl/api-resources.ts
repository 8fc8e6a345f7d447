import { defineCommand } from "./command.ts";
import { apiVersionOf } from "./discovery.ts";
import { KubectlError } from "./errors.ts";
import { bool, list, text } from "./flags.ts";
import { aligned } from "./table.ts";

export const apiResourcesCommand = defineCommand({
  name: "api-resources", usage: "api-resources [flags]", summary: "Print the supported API resources on the server",
  flags: {
    apiGroup: text("Limit to resources in the specified API group."), categories: list("Limit to resources that belong to the specified categories."), namespaced: bool("If false, non-namespaced resources will be returned, otherwise returning namespaced resources by default.", { default: true }),
    noHeaders: bool("When using the default or custom-column output format, don't print headers (default print headers)."), output: text("Output format. One of: (json, yaml, name, wide).", { short: "o" }), sortBy: text("If non-empty, sort list of resources using specified field. The field can be either 'name' or 'kind'."), verbs: list("Limit to resources that support the specified verbs."), cached: bool("Use the cached list of resources if available."),
  },
  async run({ args, flags: given, given: isGiven, connect, usageError }) {
    if (args.length) throw usageError(`unexpected arguments: [${args.join(" ")}]`);
    if (given.sortBy && given.sortBy !== "name" && given.sortBy !== "kind") throw new KubectlError("--sort-by accepts only name or kind");
    if (given.output && given.output !== "name" && given.output !== "wide") throw new KubectlError(`--output ${given.output} is not available`);
    const { discovery, out } = await connect();
    const chosen = (await discovery.preferred()).filter((each) => (!isGiven("apiGroup") || each.group === given.apiGroup) && (!isGiven("namespaced") || each.namespaced === given.namespaced)
      && given.verbs.every((verb) => each.verbs.includes(verb)) && given.categories.every((category) => each.categories.includes(category)) && each.verbs.length > 0);
    const key = (each: (typeof chosen)[number]): string[] => (given.sortBy ? [given.sortBy === "kind" ? each.kind : each.resource] : [each.group, each.resource]);
    chosen.sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
    const nameOf = ({ resource, group }: (typeof chosen)[number]): string => (group ? `${resource}.${group}` : resource);
    if (given.output === "name") return out(chosen.map((each) => `${nameOf(each)}\n`).join(""));
    const wide = given.output === "wide";
    const header = ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND", ...(wide ? ["VERBS", "CATEGORIES"] : [])];
    out(aligned([...(given.noHeaders ? [] : [header]), ...chosen.map((each) => [each.resource, each.shortNames.join(","), apiVersionOf(each), String(each.namespaced), each.kind, ...(wide ? [each.verbs.join(","), each.categories.join(",")] : [])])]));
  },
});

export const apiVersionsCommand = defineCommand({
  name: "api-versions", usage: "api-versions", summary: 'Print the supported API versions on the server, in the form of "group/version"',
  async run({ connect }) {
    const { discovery, out } = await connect();
    out([...new Set((await discovery.resources()).map(apiVersionOf))].sort().map((each) => `${each}\n`).join(""));
  },
});
