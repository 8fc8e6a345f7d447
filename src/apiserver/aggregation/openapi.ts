import { createHash } from "node:crypto";
import type { RemoteDocument } from "../openapi/document.ts";
import type { OpenApi, OpenApiDocument } from "../openapi/openapi.ts";

/**
 * OpenAPI with what extension API servers say: version 2 as one document, and version 3's index with their documents, which are fetched from
 * them. Only the index is made anew when they change.
 */
export function withRemoteOpenApi<O extends Pick<OpenApi, "v2" | "v3Index">>(openApi: O, { remotePaths, remoteDocuments }: { remotePaths(): readonly string[]; remoteDocuments(): Promise<readonly RemoteDocument[]> }): O {
  let made: { own: OpenApiDocument; paths: string; document: OpenApiDocument } | undefined;
  return {
    ...openApi,
    v2: async (accept: string) => openApi.v2(accept, await remoteDocuments()),
    v3Index() {
      const own = openApi.v3Index(), remote = remotePaths();
      if (remote.length === 0) return own;
      const paths = remote.join();
      if (made?.own !== own || made.paths !== paths) made = { own, paths, document: merged(own, remote) };
      return made.document;
    },
  };
}

function merged(own: OpenApiDocument, remote: readonly string[]): OpenApiDocument {
  const { paths } = JSON.parse(Buffer.from(own.body()).toString()) as { paths: Record<string, { serverRelativeURL: string }> };
  for (const path of remote) paths[path] ??= { serverRelativeURL: `/openapi/v3/${path}` };
  const text = JSON.stringify({ paths });
  const gzip = Bun.gzipSync(Buffer.from(text));
  return { contentType: own.contentType, etag: `"${createHash("sha256").update(text).digest("hex").slice(0, 32).toUpperCase()}"`, gzip, body: () => Bun.gunzipSync(gzip) };
}
