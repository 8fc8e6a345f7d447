import type { Frozen } from "../../apimachinery/meta.ts";
import { conflict, isAlreadyExists, isNamespaceTerminating, isNotFound, StatusError } from "../../apimachinery/status.ts";
import { persistentvolumeclaims, pods } from "../../apis/builtins.ts";
import type { StatefulSet } from "../../apis/generated/apps/v1.ts";
import type { PersistentVolumeClaim, Pod } from "../../apis/generated/core/v1.ts";
import type { ReconcileContext } from "../../client/controller.ts";
import type { Step } from "./plan.ts";

/** Takes one step and tells what came of it, in the words of stateful_pod_control.go. */
export async function takeStep(set: Frozen<StatefulSet>, step: Step, context: ReconcileContext): Promise<void> {
  const tell = teller(set, step.pod, context);
  switch (step.act) {
    case "create": return create(set, step, tell, context);
    case "update": return tell.of("Update", () => update(set, step, tell, context));
    case "delete": return tell.of("Delete", () => remove(step.pod, context));
    case "claims": {
      await makeClaims(step, tell, context);
      await tell.failureOf("Update", () => retain(set, step, context));
    }
  }
}

interface Teller {
  /** Does something for the pod, and tells how it went. */
  of(verb: string, work: () => Promise<unknown>): Promise<void>;
  /** Tells only when it goes wrong. */
  failureOf(verb: string, work: () => Promise<unknown>): Promise<void>;
  claim(name: string, error?: unknown): void;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Somebody else's object that has the name may yet give it up; in a namespace that ends nobody is left to be told. */
const isUntold = (error: unknown): boolean => isAlreadyExists(error) || isNamespaceTerminating(error);

function teller(set: Frozen<StatefulSet>, pod: Frozen<Pod>, { recorder }: ReconcileContext): Teller {
  const member = `Pod ${pod.metadata.name} in StatefulSet ${set.metadata.name}`;
  const failureOf: Teller["failureOf"] = async (verb, work) => {
    try {
      await work();
    } catch (error) {
      if (!isUntold(error)) recorder.event(set, "Warning", `Failed${verb}`, `${verb} ${member} failed error: ${messageOf(error)}`);
      throw error;
    }
  };
  return {
    failureOf,
    async of(verb, work) {
      await failureOf(verb, work);
      recorder.event(set, "Normal", `Successful${verb}`, `${verb} ${member} successful`);
    },
    claim(name, error) {
      if (error === undefined) recorder.event(set, "Normal", "SuccessfulCreate", `Create Claim ${name} ${member} success`);
      else if (!isUntold(error)) recorder.event(set, "Warning", "FailedCreate", `Create Claim ${name} for ${member} failed error: ${messageOf(error)}`);
    },
  };
}

async function create(set: Frozen<StatefulSet>, step: Step, tell: Teller, context: ReconcileContext): Promise<void> {
  await tell.failureOf("Create", () => makeClaims(step, tell, context));
  await tell.of("Create", () => context.client.create(pods, step.pod as Pod));
  await tell.failureOf("Update", () => retain(set, step, context));
}

async function update(set: Frozen<StatefulSet>, step: Step, tell: Teller, context: ReconcileContext): Promise<void> {
  await makeClaims(step, tell, context);
  await retain(set, step, context);
  if (step.corrected) await context.client.update(pods, step.corrected);
}

async function remove(pod: Frozen<Pod>, { client }: ReconcileContext): Promise<void> {
  const { namespace, name, uid } = pod.metadata;
  await client.delete(pods, { namespace, name: name! }, { preconditions: { uid } }).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
}

/** Makes the claims that are missing; fails when one is about to go, after the others are made. */
async function makeClaims({ create = [], leaving = [] }: Step, tell: Teller, context: ReconcileContext): Promise<void> {
  const failures: StatusError[] = leaving.map((name) => worded(conflict(persistentvolumeclaims, name, ""), `pvc ${name} is being deleted`));
  for (const claim of create) {
    const error = await makeClaim(claim, tell, context);
    if (error) failures.push(worded(error, `failed to create PVC ${claim.metadata.name}: ${error.message}`));
  }
  if (failures.length > 0) throw worded(failures[0]!, failures.length === 1 ? failures[0]!.message : `[${failures.map(messageOf).join(", ")}]`);
}

/** The same error, so that it is tried again in the same way, in other words. */
const worded = (error: StatusError, message: string): StatusError => new StatusError({ ...error.status, message }, { cause: error });

async function makeClaim(claim: PersistentVolumeClaim, tell: Teller, { client }: ReconcileContext): Promise<StatusError | undefined> {
  const name = claim.metadata.name!;
  try {
    await client.create(persistentvolumeclaims, claim);
    tell.claim(name);
    return undefined;
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    tell.claim(name, error);
    return error;
  }
}

async function retain(set: Frozen<StatefulSet>, { retain: claims = [], conflicting = [] }: Step, { client, recorder }: ReconcileContext): Promise<void> {
  for (const name of conflicting) {
    recorder.event(set, "Warning", "ConflictingController", `PersistentVolumeClaim ${name} has a conflicting OwnerReference that acts as a manging controller, the retention policy is ignored for this claim`);
  }
  for (const claim of claims) {
    try {
      await client.update(persistentvolumeclaims, claim);
    } catch (error) {
      throw error instanceof StatusError ? worded(error, `could not update claim ${claim.metadata.name} for delete policy ownerRefs: ${error.message}`) : error;
    }
  }
}
