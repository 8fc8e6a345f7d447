import { StorageError } from "../storage.ts";
import type { EtcdClient } from "./etcd-client.ts";
import { deactivateAlarm, getAlarms, noSpaceAlarm, toKey } from "./messages.ts";

/** For defragmentation, which copies the database: a card takes its time for that. */
const patienceMs = 60_000;

/**
 * Where etcd's database has grown to its quota: drops all history, gives the disk what its members don't use any more (the one that `client` talks to alone
 * when another can't be reached), and ends the alarm, which etcd leaves to its administrator. Where there is no room still, the next write raises it
 * again. Resolves with false when there is no such alarm.
 */
export async function reclaimRoom(client: EtcdClient): Promise<boolean> {
  const { alarms = [] } = await client.call("Alarm", { action: getAlarms }, { repeatable: true }), full = alarms.filter(({ alarm }) => alarm === noSpaceAlarm);
  if (full.length === 0) return false;
  await client.defragmentAll(() => dropHistory(client)).catch(async (error: unknown) => {
    if (!(error instanceof StorageError) || error.code !== "unavailable") throw error;
    await dropHistory(client);
    await client.call("Defragment", {}, { repeatable: true, patienceMs });
  });
  for (const { memberId } of full) await client.call("Alarm", { action: deactivateAlarm, memberId, alarm: noSpaceAlarm }, { repeatable: true });
  return true;
}

async function dropHistory(client: EtcdClient): Promise<void> {
  const { header } = await client.call("Range", { key: toKey("/"), countOnly: true }, { repeatable: true });
  await client.call("Compact", { revision: header!.revision!, physical: true }, { repeatable: true }).catch((error: unknown) => {
    // Another server was there first.
    if (!(error instanceof StorageError) || error.code !== "compacted") throw error;
  });
}
