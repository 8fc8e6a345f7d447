import { createHttpClient } from "../../src/client/http-client.ts";
import { startApiServer } from "../support/apiserver.ts";
import { clientContract } from "./client.ts";

clientContract("HttpClient", async () => {
  const server = await startApiServer();
  const admin = await server.certificate("system:admin", "system:masters");
  return { client: createHttpClient({ server: server.url, tls: { ca: server.ca, cert: admin.certificate, key: admin.key } }), dispose: () => server.stop() };
});
