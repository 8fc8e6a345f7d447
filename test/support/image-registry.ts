import { unpackTar } from "modern-tar";

export interface TestImageRegistry {
  /** `127.0.0.1:<port>`; runtimes speak plain HTTP to loopback, unless it has a certificate. */
  host: string;
  /** Repositories that manifests were asked of, in order. */
  readonly asked: string[];
  [Symbol.dispose](): void;
}

/**
 * A registry on loopback that serves one OCI archive under every repository name, as tag `1`.
 * Repositories below `private/` want the user's name and password.
 */
export async function startImageRegistry(archive: Uint8Array, { username, password, tls }: { username: string; password: string; tls?: { cert: string; key: string } }): Promise<TestImageRegistry> {
  const files = new Map((await unpackTar(archive)).map(({ header, data }) => [header.name, data]));
  const index = JSON.parse(new TextDecoder().decode(files.get("index.json"))) as { manifests: { digest: string }[] };
  const authorization = `Basic ${btoa(`${username}:${password}`)}`;
  const asked: string[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1", port: 0, tls,
    fetch(request) {
      const [, repository = "", kind, reference = ""] = /^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/.exec(new URL(request.url).pathname) ?? [];
      if (!kind) return new Response("{}");
      if (kind === "manifests") asked.push(repository);
      if (repository.startsWith("private/") && request.headers.get("authorization") !== authorization) return new Response("{}", { status: 401, headers: { "www-authenticate": 'Basic realm="test"' } });
      const digest = kind === "manifests" && reference === "1" ? index.manifests[0]!.digest : reference;
      const blob = files.get(`blobs/sha256/${digest.replace("sha256:", "")}`);
      if (!blob) return new Response('{"errors":[{"code":"MANIFEST_UNKNOWN"}]}', { status: 404 });
      const type = kind === "manifests" ? "application/vnd.oci.image.manifest.v1+json" : "application/octet-stream";
      return new Response(request.method === "HEAD" ? null : new Uint8Array(blob), { headers: { "content-length": String(blob.length), "docker-content-digest": digest, "content-type": type } });
    },
  });
  return { host: `127.0.0.1:${server.port}`, asked, [Symbol.dispose]: () => void server.stop(true) };
}
