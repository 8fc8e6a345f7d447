import { compareQuantities, value, type QuantityLike } from "../../../src/apimachinery/quantity.ts";
import type { Frozen } from "../../../src/apimachinery/meta.ts";
import { persistentvolumeclaims } from "../../../src/apis/core/volume/persistentvolumeclaim.ts";
import type { PersistentVolumeClaim, PersistentVolumeClaimCondition, PersistentVolumeClaimStatus } from "../../../src/apis/generated/core/v1.ts";
import type { Clock } from "../../../src/base/clock.ts";
import type { Client } from "../../../src/client/client.ts";
import type { EventRecorder } from "../../../src/client/recorder.ts";
import { GrpcCode, GrpcError } from "../../../src/base/grpc/error.ts";
import { podReference } from "../pod/container-reference.ts";
import { errorText } from "../pod/kill.ts";
import { time } from "../status/container-status.ts";
import { idOf, type CsiVolume } from "./csi-volume.ts";

type Claim = Frozen<PersistentVolumeClaim>;

export interface ExpansionOptions {
  client: Client;
  recorder: EventRecorder;
  clock: Clock;
  nodeName: string;
}

export interface Grower {
  /** Whether the driver has a part in it on nodes. */
  able: boolean;
  /** Grows the filesystem to so many bytes, or lets the driver see that its device has grown. Rejects with `GrpcError`. */
  grow(bytes: number): Promise<void>;
}

/** gRPC codes that say nothing about whether the driver is still at it. */
const unfinished = new Set([1, 4, 8, 10, 14]);
/** Codes that say that it can't be done whatever happens: InvalidArgument, NotFound, OutOfRange. */
const infeasible = new Set([3, 5, 11]);

const resizeConditions = new Set(["Resizing", "FileSystemResizePending", "ControllerResizeError", "NodeResizeError"]);
const notRequired = "volume.kubernetes.io/node-expansion-not-required";

/**
 * The node's part in growing a volume: when the claim's status says that its volume has grown and the node is to follow, the driver is told to,
 * and the claim what came of it. Source: k8s.io/kubernetes/pkg/volume/util/operationexecutor (NodeExpander), KEP-1790.
 */
export class Expansions {
  /** As large as this node knows each volume to be; the first claim of it that was seen says how large that was. */
  readonly #sizes = new Map<string, QuantityLike>();
  /** Volumes whose driver can't grow them while they are in use. */
  readonly #notInUse = new Set<string>();
  /** Those that could not be grown, for a reason that is no accident. */
  readonly #failed = new Set<string>();
  /** The resourceVersion of each volume's claim as this node has written it last. */
  readonly #written = new Map<string, string>();
  constructor(private readonly options: ExpansionOptions) {}

  /** Nobody here has the volume any more. */
  forget(id: string): void {
    this.#sizes.delete(id);
    this.#notInUse.delete(id);
    this.#failed.delete(id);
    this.#written.delete(id);
  }

  /** Whether the claim, as it is now, is another than the one that was looked at, and not by what was written to it here. */
  isNews(volume: CsiVolume, now: Claim | undefined): boolean {
    const version = now?.metadata.resourceVersion;
    return version !== undefined && version !== volume.claimed?.claim.metadata.resourceVersion && version !== this.#written.get(idOf(volume.driver, volume.volumeHandle));
  }

  /** Grows the volume if it is time. Rejects when that failed, told to the claim already; the same call tries again. */
  async follow(volume: CsiVolume, grower: Grower): Promise<void> {
    const { claimed, readOnly, driver, volumeHandle } = volume, size = claimed?.volume.spec?.capacity?.["storage"];
    if (!claimed || !size || readOnly) return;
    const { claim } = claimed;
    const id = idOf(driver, volumeHandle), capacity = claim.status?.capacity?.["storage"] ?? "0";
    if (!this.#sizes.has(id)) this.#sizes.set(id, capacity);
    if (this.#notInUse.has(id) || compareQuantities(size, this.#sizes.get(id)!) <= 0) return;
    // What is remembered of the claim may be old by now.
    const now = await this.options.client.get(persistentvolumeclaims, { namespace: claim.metadata.namespace!, name: claim.metadata.name! });
    const wanted = wantedOf(now, size);
    if (wanted === "done" || (wanted && !grower.able && (wanted.told || !wanted.recovers))) this.#sizes.set(id, size);
    else if (wanted) await this.#expand(volume, now, wanted, grower);
  }

  async #expand(volume: CsiVolume, claim: Claim, { size, told, recovers }: Wanted, { able, grow }: Grower): Promise<void> {
    const { recorder, nodeName } = this.options, { pod, driver, volumeHandle, name } = volume, id = idOf(driver, volumeHandle);
    const current = recovers && !told ? await this.#tell(id, claim, { allocatedResourceStatuses: { storage: "NodeResizeInProgress" } }) : claim;
    try {
      if (!able) throw new GrpcError(GrpcCode.Unimplemented, `NodeExpand is not supported by the CSI driver ${driver}`, "NodeExpandVolume");
      await grow(value(size));
    } catch (error) {
      const code = error instanceof GrpcError ? error.code : undefined;
      const isFinal = code !== undefined && !unfinished.has(code);
      if (recovers && isFinal) {
        const changedMind = this.#failed.has(id) && compareQuantities(current.spec?.resources?.requests?.["storage"] ?? size, size) !== 0;
        this.#failed.add(id);
        await this.#tellFailure(id, current, error, infeasible.has(code) || changedMind);
      }
      if (code !== GrpcCode.FailedPrecondition) throw error;
      this.#notInUse.add(id);
      return;
    }
    this.#failed.delete(id);
    const message = `MountVolume.NodeExpandVolume succeeded for volume "${name}" ${nodeName}`;
    for (const about of [podReference(pod), current]) recorder.event(about, "Normal", "FileSystemResizeSuccessful", message);
    if (!told) {
      await this.#tell(id, current, {
        capacity: { storage: String(size) }, allocatedResourceStatuses: Object.keys(current.status?.allocatedResourceStatuses ?? {}).some((resource) => resource !== "storage") ? { storage: null } : null,
        conditions: (current.status?.conditions ?? []).filter(({ type }) => !resizeConditions.has(type)) as PersistentVolumeClaimCondition[],
      });
    }
    this.#sizes.set(id, size);
  }

  /** The claim says why; where it can never be, the controller is free to try what the user wants instead. */
  async #tellFailure(id: string, claim: Claim, error: unknown, isHopeless: boolean): Promise<void> {
    const message = `failed to expand pvc with Expander.NodeExpand failed to expand the volume${isHopeless ? "" : " :"} ${errorText(error)}`;
    const condition: PersistentVolumeClaimCondition = { type: "NodeResizeError", status: "True", lastTransitionTime: time(this.options.clock.now()), message };
    const others = (claim.status?.conditions ?? []) as PersistentVolumeClaimCondition[];
    await this.#tell(id, claim, {
      ...(isHopeless ? { allocatedResourceStatuses: { storage: "NodeResizeInfeasible" } } : {}),
      conditions: others.some(({ type, status }) => type === condition.type && status === "True") ? others : [...others.filter(({ type }) => type !== condition.type), condition],
    });
  }

  /** Refused when the claim has changed meanwhile: then it is looked at anew. */
  async #tell(id: string, { metadata: { namespace, name, resourceVersion } }: Claim, status: Omit<PersistentVolumeClaimStatus, "allocatedResourceStatuses"> & { allocatedResourceStatuses?: Record<string, string | null> | null }): Promise<Claim> {
    const body = { metadata: { resourceVersion }, status };
    const written = await this.options.client.patch(persistentvolumeclaims, { namespace: namespace!, name: name! }, { type: "application/merge-patch+json", body }, { subresource: "status" });
    this.#written.set(id, written.metadata.resourceVersion!);
    return written;
  }
}

interface Wanted {
  size: QuantityLike;
  /** The claim says already that it is so: by another node, that shares the volume. */
  told: boolean;
  /** The controller that grew the volume keeps what came of it in the claim's status. */
  recovers: boolean;
}

/** What the claim asks of the node whose volume has the size `size` by now; "done" when there is nothing left to do, undefined when not yet. */
export function wantedOf({ metadata, spec, status: { capacity, allocatedResources, allocatedResourceStatuses } = {} }: Claim, size: QuantityLike): Wanted | "done" | undefined {
  const state = allocatedResourceStatuses?.["storage"];
  if (state === undefined && allocatedResources === undefined) return { size, told: compareQuantities(capacity?.["storage"] ?? "0", size) >= 0, recovers: false };
  const wanted = allocatedResources?.["storage"] ?? size;
  const told = state === undefined && compareQuantities(capacity?.["storage"] ?? "0", wanted) >= 0;
  if (told) return spec?.accessModes?.includes("ReadWriteMany") && metadata.annotations?.[notRequired] === undefined ? { size: wanted, told, recovers: true } : "done";
  return state === "NodeResizePending" || state === "NodeResizeInProgress" ? { size: wanted, told, recovers: true } : undefined;
}
