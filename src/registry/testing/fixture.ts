import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { builtins } from "../../apis/builtins.ts";
import { resourcequotas } from "../../apis/core/resourcequota.ts";
import { systemClock, type Clock } from "../../base/clock.ts";
import type { Client } from "../../client/client.ts";
import type { InformerFactory } from "../../client/informer.ts";
import { Cacher } from "../../storage/cacher/cacher.ts";
import { SqliteStorage } from "../../storage/sqlite/sqlite-storage.ts";
import type { Storage } from "../../storage/storage.ts";
import { defaultAdmission } from "../admission/index.ts";
import type { Authorizer, RequestContext, UserInfo } from "../attributes.ts";
import type { PortRange } from "../allocators/node-ports.ts";
import { ensureSystemNamespaces } from "../bootstrap/namespaces.ts";
import { createRegistry } from "../create-registry.ts";
import { builtinHooks } from "../hooks.ts";
import { createLocalClient } from "../local-client.ts";
import { createListers, createLocalInformers } from "../local-informers.ts";
import type { Registry } from "../registry.ts";
import { accessReviews } from "../reviews.ts";
import type { TokenIssuer } from "../token-issuer.ts";

export const admin: UserInfo = { name: "admin", groups: ["system:masters", "system:authenticated"] };

/** Lets only `system:masters` do anything. */
export const mastersOnly: Authorizer = {
  authorize: ({ user }) => ({ allowed: user.groups.includes("system:masters"), reason: "" }),
  authorizePath: ({ user }) => ({ allowed: user.groups.includes("system:masters"), reason: "" }),
};

export interface RegistryFixture {
  registry: Registry;
  client: Client;
  informers: InformerFactory;
  cacher: Cacher;
  storage: Storage;
  context: RequestContext;
  /** What `context.warn` was given. */
  warnings: string[];
  [Symbol.asyncDispose](): Promise<void>;
}

/** The registry with all built-in kinds and plugins over SQLite in a directory of its own. */
export async function startRegistry({ clock = systemClock, authorizer = mastersOnly, cards = builtins, tokenIssuer, directory, storage: shared, serviceCidrs = ["10.43.0.0/16"], nodePorts }: {
  clock?: Clock; authorizer?: Authorizer; cards?: readonly AnyResource[]; tokenIssuer?: TokenIssuer; serviceCidrs?: readonly string[];
  /** Kept on disposal; without one, a temporary directory is made and removed. */
  directory?: string;
  /** In place of SQLite; closed by who made it. */
  storage?: Storage;
  nodePorts?: PortRange;
} = {}): Promise<RegistryFixture> {
  const path = directory ?? await mkdtemp(join(tmpdir(), "skiff-registry-"));
  const storage = shared ?? await SqliteStorage.open({ path: join(path, "state.db") });
  const cacher = new Cacher({ storage });
  await cacher.start();
  const registry = createRegistry({
    cacher, cards, clock, tokenIssuer, authorizer,
    admission: defaultAdmission({ listers: createListers(cacher), authorizer, updateQuotaStatus: (quota) => client.update(resourcequotas, quota, { subresource: "status" }) }),
    hooks: builtinHooks({ cacher, allocators: { serviceCidrs, nodePorts, reserved: ["10.43.0.10"] } }),
    reviews: accessReviews({ authorizer }),
  });
  const client = createLocalClient({ registry, authorizer, user: admin });
  await ensureSystemNamespaces(client);
  const warnings: string[] = [];
  return {
    registry, client, informers: createLocalInformers(cacher), cacher, storage, warnings,
    context: { user: admin, warn: (text) => warnings.push(text) },
    async [Symbol.asyncDispose]() {
      await cacher.close();
      if (!shared) await storage.close();
      if (!directory) await rm(path, { recursive: true });
    },
  };
}
