/**
 * Where numbering goes on after a restore: beyond whatever the cluster may have given out between the snapshot and its loss, so that no client
 * sees a revision twice. History ends there too, so that all of them look anew. As `etcdutl snapshot restore --bump-revision --mark-compacted`,
 * with the number that etcd's own documentation proposes.
 */
export const restoredRevision = (newest: number): number => newest + 1_000_000_000;
