import type { SelfSubjectReview } from "../apis/generated/authentication/v1.ts";
import type { SelfSubjectAccessReview, SelfSubjectRulesReview } from "../apis/generated/authorization/v1.ts";
import { defineCommand, defineGroup } from "./command.ts";
import { KubectlError, SilentExit } from "./errors.ts";
import { bool, text } from "./flags.ts";
import type { PlainObject } from "./objects.ts";
import { printerOf } from "./output.ts";
import type { Session } from "./session.ts";
import { aligned } from "./table.ts";

const canI = defineCommand({
  name: "can-i", usage: "can-i VERB [TYPE | TYPE/NAME | NONRESOURCEURL] [flags]", summary: "Check whether an action is allowed",
  flags: { allNamespaces: bool("If true, check the specified action in all namespaces.", { short: "A" }), list: bool("If true, prints all allowed actions."), noHeaders: bool("If true, prints allowed actions without headers"), quiet: bool("If true, suppress output and just return the exit code.", { short: "q" }), subresource: text("SubResource such as pod/log or deployment/scale") },
  async run({ args, flags: given, connect }) {
    if (given.list && (given.quiet || given.allNamespaces || given.subresource)) throw new KubectlError("list option can't be specified with neither quiet, all-namespaces nor subresource options");
    const session = await connect();
    if (given.list) return listRules(session, given.noHeaders);
    const [verb, what, name] = args;
    if (!verb || !what || args.length > 3) throw new KubectlError("you must specify two arguments: verb resource or verb resource/resourceName.\nSee 'kubectl auth can-i -h' for help and examples.");
    const spec = what.startsWith("/") ? { nonResourceAttributes: { verb, path: what } } : { resourceAttributes: await attributesOf(session, verb, what, name, given) };
    const { status } = await session.api.json<SelfSubjectAccessReview>("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", { method: "POST", body: { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec } });
    if (!given.quiet) session.out(status?.allowed ? "yes\n" : `no${status?.reason ? ` - ${status.reason}` : ""}${status?.evaluationError ? ` - ${status.evaluationError}` : ""}\n`);
    if (!status?.allowed) throw new SilentExit();
  },
});

async function attributesOf(session: Session, verb: string, what: string, name: string | undefined, { allNamespaces, subresource }: { allNamespaces: boolean; subresource: string }): Promise<object> {
  const [type = "", ...rest] = what.split("/");
  const known = await session.discovery.find(type).catch(() => undefined);
  // What isn't served may be asked about all the same.
  if (!known && type !== "*") session.err(`Warning: the server doesn't have a resource type '${type.split(".")[0]}'${type.includes(".") ? ` in group '${type.split(".").slice(1).join(".")}'` : ""}\n\n`);
  if (known && !known.namespaced && !allNamespaces) session.err(`Warning: resource '${known.resource}' is not namespace scoped${known.group ? ` in group '${known.group}'` : ""}\n\n`);
  const resource = known?.resource ?? type.split(".")[0]!, group = known?.group ?? (type === "*" ? "*" : type.split(".").slice(1).join("."));
  const objectName = name ?? rest.join("/");
  return { verb, resource, group, ...(allNamespaces || known && !known.namespaced ? {} : { namespace: session.namespace }), ...(objectName ? { name: objectName } : {}), ...(subresource ? { subresource } : {}) };
}

async function listRules(session: Session, noHeaders: boolean): Promise<void> {
  const { status } = await session.api.json<SelfSubjectRulesReview>("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", { method: "POST", body: { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectRulesReview", spec: { namespace: session.namespace } } });
  if (status?.incomplete) session.err(`warning: the list may be incomplete: ${status.evaluationError ?? ""}\n`);
  const shown = (words: readonly string[] | undefined): string => `[${(words ?? []).join(" ")}]`;
  const keyOf = (verbs: readonly string[], group: string, resource: string, names: readonly string[] = [], url = ""): string => `${shown(verbs)},[${group}],[${resource}],${shown(names)},[${url}]`;
  const rules = (status?.resourceRules ?? []).flatMap(({ resources = [], apiGroups = [], resourceNames, verbs }) => apiGroups.flatMap((group) => resources.map((resource) => ({
    key: keyOf(verbs, group, resource, resourceNames), cells: [group ? `${resource}.${group}` : resource, "[]", shown(resourceNames), shown(verbs)],
  }))));
  const paths = (status?.nonResourceRules ?? []).flatMap(({ nonResourceURLs = [], verbs }) => nonResourceURLs.map((url) => ({ key: keyOf(verbs, "", "", [], url), cells: ["", shown([url]), "[]", shown(verbs)] })));
  // Kubernetes sorts rules by their text, which begins with the verbs and the groups.
  const sorted = [...rules, ...paths].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  session.out(aligned([...(noHeaders ? [] : [["Resources", "Non-Resource URLs", "Resource Names", "Verbs"]]), ...sorted.map(({ cells }) => cells)]));
}

const whoAmI = defineCommand({
  name: "whoami", usage: "whoami [flags]", summary: "Experimental: Check self subject attributes", flags: { output: text("Output format", { short: "o" }) },
  async run({ flags: given, connect }) {
    const session = await connect();
    const review = await session.api.json<SelfSubjectReview>("/apis/authentication.k8s.io/v1/selfsubjectreviews", { method: "POST", body: { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" } });
    if (given.output) return session.out(printerOf(given.output)(review as unknown as PlainObject));
    const { username, uid, groups = [], extra = {} } = review.status?.userInfo ?? {};
    session.out(aligned([
      ["ATTRIBUTE", "VALUE"], ...(username ? [["Username", username]] : []), ...(uid ? [["UID", uid]] : []), ...(groups.length ? [["Groups", `[${groups.join(" ")}]`]] : []),
      ...Object.entries(extra).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, values]) => [`Extra: ${key}`, `[${values.join(" ")}]`]),
    ]));
  },
});

export const authCommand = defineGroup({ name: "auth", summary: "Inspect authorization", subcommands: [canI, whoAmI] });
