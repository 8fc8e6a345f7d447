import { ProtoCodec, type Descriptor } from "../../base/grpc/protobuf.ts";
import descriptors from "./etcd-v3.json" with { type: "json" };

/** The part of etcd's v3 API that is used here, as https://etcd.io/docs/v3.5/dev-guide/api_reference_v3/ describes it. Absent fields are zero. */

export const codec = new ProtoCodec(descriptors as Record<string, unknown> as Record<string, Descriptor>);

export interface ResponseHeader {
  clusterId?: string;
  memberId?: string;
  revision?: number;
}

export interface KeyValue {
  key: Uint8Array;
  value?: Uint8Array;
  /** Of the write that made it; none of a deletion. */
  createRevision?: number;
  modRevision: number;
}

export interface RangeRequest {
  key: Uint8Array;
  rangeEnd?: Uint8Array;
  limit?: number;
  revision?: number;
  keysOnly?: boolean;
  countOnly?: boolean;
}

export interface RangeResponse {
  header?: ResponseHeader;
  kvs?: KeyValue[];
  more?: boolean;
  count?: number;
}

export interface RequestOp {
  requestRange?: RangeRequest;
  requestPut?: { key: Uint8Array; value: Uint8Array };
  requestDeleteRange?: { key: Uint8Array; rangeEnd?: Uint8Array };
}

/** A key is compared by the revision of its last write: 0 when it isn't there. */
export interface Compare {
  target: typeof compareModRevision;
  key: Uint8Array;
  modRevision: number;
}

export const compareModRevision = 2;

export interface TxnRequest {
  compare?: Compare[];
  success?: RequestOp[];
  failure?: RequestOp[];
}

export interface TxnResponse {
  header?: ResponseHeader;
  succeeded?: boolean;
  responses?: { responseRange?: RangeResponse }[];
}

export interface WatchCreateRequest {
  key: Uint8Array;
  rangeEnd: Uint8Array;
  startRevision: number;
  prevKv: boolean;
  /** Lets the server cut large answers in pieces. */
  fragment: boolean;
}

export interface WatchEvent {
  /** 1 is a delete. */
  type?: number;
  kv: KeyValue;
  prevKv?: KeyValue;
}

export interface WatchResponse {
  header?: ResponseHeader;
  created?: boolean;
  canceled?: boolean;
  cancelReason?: string;
  /** Of a watch that asked for history which is gone: the oldest that is kept. */
  compactRevision?: number;
  /** More of the same answer follows. */
  fragment?: boolean;
  events?: WatchEvent[];
}

export interface StatusResponse {
  header?: ResponseHeader;
  version?: string;
  dbSize?: number;
  dbSizeInUse?: number;
  errors?: string[];
}

/** Something that keeps a member from taking writes, and the others with it. */
export interface AlarmMember {
  memberId: string;
  alarm: typeof noSpaceAlarm | typeof corruptAlarm;
}

export const noSpaceAlarm = 1, corruptAlarm = 2;

export interface AlarmRequest extends Partial<AlarmMember> {
  action: typeof getAlarms | typeof deactivateAlarm;
}

export const getAlarms = 0, deactivateAlarm = 2;

/** One of the cluster's etcd processes. */
export interface Member {
  id: string;
  /** Absent until it has started. */
  name?: string;
  peerUrls: string[];
  clientUrls?: string[];
  /** Takes part in no vote yet. */
  isLearner?: boolean;
}

/** The calls that are made, with the message each takes and gives. */
export interface Calls {
  Range: [RangeRequest, RangeResponse];
  Txn: [TxnRequest, TxnResponse];
  /** `physical`: answered when what is forgotten is gone from the database. */
  Compact: [{ revision: number; physical?: boolean }, { header?: ResponseHeader }];
  Status: [object, StatusResponse];
  Defragment: [object, { header?: ResponseHeader }];
  /** What remains, or of a deactivation what is over. */
  Alarm: [AlarmRequest, { header?: ResponseHeader; alarms?: AlarmMember[] }];
  MemberList: [object, { header?: ResponseHeader; members?: Member[] }];
  MemberAdd: [{ peerUrls: string[]; isLearner: boolean }, { header?: ResponseHeader; member: Member; members: Member[] }];
  MemberPromote: [{ id: string }, { header?: ResponseHeader; members?: Member[] }];
  MemberUpdate: [{ id: string; peerUrls: string[] }, { header?: ResponseHeader; members?: Member[] }];
  MemberRemove: [{ id: string }, { header?: ResponseHeader; members?: Member[] }];
}

interface Method { path: string; request: string; response: string }

export const methods: Record<keyof Calls, Method> = {
  Range: { path: "/etcdserverpb.KV/Range", request: "RangeRequest", response: "RangeResponse" },
  Txn: { path: "/etcdserverpb.KV/Txn", request: "TxnRequest", response: "TxnResponse" },
  Compact: { path: "/etcdserverpb.KV/Compact", request: "CompactionRequest", response: "CompactionResponse" },
  Status: { path: "/etcdserverpb.Maintenance/Status", request: "StatusRequest", response: "StatusResponse" },
  Alarm: { path: "/etcdserverpb.Maintenance/Alarm", request: "AlarmRequest", response: "AlarmResponse" },
  Defragment: { path: "/etcdserverpb.Maintenance/Defragment", request: "DefragmentRequest", response: "DefragmentResponse" },
  MemberList: { path: "/etcdserverpb.Cluster/MemberList", request: "MemberListRequest", response: "MembersResponse" },
  MemberAdd: { path: "/etcdserverpb.Cluster/MemberAdd", request: "MemberAddRequest", response: "MemberAddResponse" },
  MemberPromote: { path: "/etcdserverpb.Cluster/MemberPromote", request: "MemberIdRequest", response: "MembersResponse" },
  MemberUpdate: { path: "/etcdserverpb.Cluster/MemberUpdate", request: "MemberUpdateRequest", response: "MembersResponse" },
  MemberRemove: { path: "/etcdserverpb.Cluster/MemberRemove", request: "MemberIdRequest", response: "MembersResponse" },
};

export const watchPath = "/etcdserverpb.Watch/Watch";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
export const toKey = (key: string): Uint8Array => encoder.encode(key);
export const fromKey = (key: Uint8Array): string => decoder.decode(key);

/** The first key behind all that begin with `prefix`. */
export function endOf(prefix: string): Uint8Array {
  const end = toKey(prefix);
  end[end.length - 1]!++;
  return end;
}

/** All keys there are, as a range. */
export const everything = { key: new Uint8Array([0]), rangeEnd: new Uint8Array([0]) };
