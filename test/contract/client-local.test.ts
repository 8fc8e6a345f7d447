import { startRegistry } from "../../src/registry/testing/fixture.ts";
import { clientContract } from "./client.ts";

clientContract("LocalClient", async () => {
  const fixture = await startRegistry();
  return { client: fixture.client, dispose: () => fixture[Symbol.asyncDispose]() };
});
