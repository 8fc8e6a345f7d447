import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { Clock } from "../base/clock.ts";
import type { AdmissionChain } from "./admission/admission.ts";
import type { Authorizer } from "./attributes.ts";
import type { Store } from "./store.ts";

/** What the verbs share. */
export interface Machinery {
  store: Store;
  admission: AdmissionChain;
  clock: Clock;
  hooks: WriteHooks;
  authorizer?: Authorizer;
  newUid(): string;
  /** Five characters that end a generated name. */
  randomSuffix(): string;
}

/** What a kind needs around its writes beyond its strategy, such as taking an address. Keyed by `resource` or `resource.group`. */
export type WriteHooks = Readonly<Record<string, WriteHook<any>>>;

export interface WriteHook<T extends KubeObject> {
  /**
   * Runs after preparation, before validation, and may change `object`; `old` is missing on create.
   * Returns what it has reserved.
   */
  beforeWrite?(object: T, old: Frozen<T> | undefined): Reservation;
  /** Runs when a write is stored, before it is answered; `object` is missing when it is gone, `old` on create. */
  afterWrite?(machinery: Machinery, object: Frozen<T> | undefined, old: Frozen<T> | undefined): Promise<void>;
  /** Whether something other than metadata.finalizers still holds an object that is being deleted. */
  holdsDeletion?(object: Frozen<T>): boolean;
}

/** What an object is about to take. */
export interface Reservation {
  /** Called last before the write, where other servers may write too: sees to it that nobody else has taken the same, and may change the object. */
  confirm(): Promise<void>;
  /** Called once when the write has been stored or has failed. */
  settle(): void;
}

export const hookOf = ({ hooks }: Machinery, card: { group: string; resource: string }): WriteHook<any> =>
  hooks[card.group ? `${card.resource}.${card.group}` : card.resource] ?? none;

const none: WriteHook<KubeObject> = {};
