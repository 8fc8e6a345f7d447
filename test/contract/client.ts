import { afterEach, beforeEach, describe } from "bun:test";
import type { Client } from "../../src/client/client.ts";
import { clientDeletes } from "./client-deletes.ts";
import { clientLists } from "./client-lists.ts";
import { clientPatches } from "./client-patches.ts";
import { clientResources } from "./client-resources.ts";
import { clientSubresources } from "./client-subresources.ts";
import { clientWatches } from "./client-watches.ts";
import { clientWrites } from "./client-writes.ts";

export interface ClientUnderTest {
  /** May do everything, in a cluster with the namespace `default` and the built-in kinds, where nothing else runs. */
  client: Client;
  dispose(): Promise<void>;
}

/** What every Client promises, whichever way it reaches the registry. */
export function clientContract(name: string, start: () => Promise<ClientUnderTest>, { showsManagers = true }: { showsManagers?: boolean } = {}): void {
  describe(`Client contract: ${name}`, () => {
    let subject: ClientUnderTest;
    beforeEach(async () => {
      subject = await start();
    });
    afterEach(() => subject.dispose());
    const client = (): Client => subject.client;
    clientWrites(client);
    clientPatches(client, { showsManagers });
    clientDeletes(client);
    clientLists(client);
    clientWatches(client);
    clientSubresources(client);
    clientResources(client);
  });
}
