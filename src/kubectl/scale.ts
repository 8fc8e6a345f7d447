import { defineCommand } from "./command.ts";
import { forEachDespiteErrors, KubectlError } from "./errors.ts";
import { duration, number, text } from "./flags.ts";
import { at, type PlainObject } from "./objects.ts";
import { selectedFlags, selectObjects } from "./selected.ts";
import { waitForObject } from "./wait.ts";
import { dryRunOf, outcomeText, writeQuery, writingFlags } from "./writing.ts";

interface Scale extends PlainObject { spec: { replicas?: number } }

export const scaleCommand = defineCommand({
  name: "scale", usage: "scale [--resource-version=version] [--current-replicas=count] --replicas=COUNT (-f FILENAME | TYPE NAME) [flags]", summary: "Set a new size for a deployment, replica set, or replication controller",
  flags: {
    ...selectedFlags, ...writingFlags,
    replicas: number("The new desired number of replicas. Required.", -1),
    currentReplicas: number("Precondition for current size. Requires that the current size of the resource match this value in order to scale.", -1),
    resourceVersion: text("Precondition for resource version."),
    timeout: duration("The length of time to wait before giving up on a scale operation, zero means don't wait.", 0),
  },
  async run({ args, flags: given, given: isGiven, connect }) {
    if (!isGiven("replicas")) throw new KubectlError('required flag(s) "replicas" not set');
    if (given.replicas < 0) throw new KubectlError("The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0");
    if (given.currentReplicas < -1) throw new KubectlError(`The --current-replicas must specify an integer of -1 or greater`);
    const session = await connect();
    const selected = await selectObjects(session, args, given);
    await forEachDespiteErrors(selected, async ({ resource, object, path }) => {
      if (dryRunOf(given) === "client") return session.out(outcomeText(object, "scaled", given));
      const { spec, metadata } = await session.api.json<Scale>(`${path}/scale`);
      if (given.currentReplicas >= 0 && spec.replicas !== given.currentReplicas) throw new KubectlError(`Expected replicas to be ${given.currentReplicas}, was ${spec.replicas ?? 0}`);
      if (given.resourceVersion && metadata.resourceVersion !== given.resourceVersion) throw new KubectlError(`Expected resource version to be ${given.resourceVersion}, was ${metadata.resourceVersion}`);
      await session.api.json(`${path}/scale`, { method: "PATCH", contentType: "application/merge-patch+json", body: { spec: { replicas: given.replicas } }, query: writeQuery(given) });
      if (given.timeout) await waitForObject(session, { resource, namespace: object.metadata.namespace, name: object.metadata.name! }, (state) => at(state, "status", "replicas") === given.replicas, performance.now() + given.timeout);
      session.out(outcomeText(object, "scaled", given));
    });
  },
});
