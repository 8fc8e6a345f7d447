import { createHash } from "node:crypto";
import type { OpenApi, OpenApiDocument } from "../openapi/openapi.ts";

/** The index of OpenAPI v3 with the documents of extension API servers, which are fetched from them. Only the index is made anew when they change. */
export function withRemoteOpenApi<O extends Pick<OpenApi, "v3Index">>(openApi: O, remotePaths: () => readonly string[]): O {
  let made: { own: OpenApiDocument; paths: string; document: OpenApiDocument } | undefined;
  return {
    ...openApi,
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
