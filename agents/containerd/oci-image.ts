import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { packTar, type TarEntry } from "modern-tar";

export interface ImageFile {
  path: string;
  mode?: number;
  data?: Uint8Array | string;
  /** A directory when true; a symbolic link when `link` is set. */
  directory?: boolean;
  link?: string;
}

export interface ImageConfig {
  Entrypoint?: string[];
  Cmd?: string[];
  Env?: string[];
  User?: string;
  WorkingDir?: string;
}

const digest = (bytes: Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const epoch = new Date(0);

/**
 * An OCI image layout as a tar archive (https://github.com/opencontainers/image-spec), reproducible to the byte: a layer of `files`, and those `above` it.
 * `architecture` is Go's name: amd64 or arm64.
 */
export async function buildOciImage({ reference, architecture, files, above = [], config }: { reference: string; architecture: string; files: readonly ImageFile[]; above?: readonly (readonly ImageFile[])[]; config: ImageConfig }): Promise<Uint8Array> {
  const layerTars = await Promise.all([files, ...above].map((layer) => packTar(layer.map(layerEntry))));
  const layers = layerTars.map((tar) => new Uint8Array(gzipSync(tar, { level: 6 })));
  const imageConfig = json({ architecture, os: "linux", config, rootfs: { type: "layers", diff_ids: layerTars.map(digest) }, history: layers.map(() => ({ created: epoch.toISOString() })), created: epoch.toISOString() });
  const descriptor = (mediaType: string, blob: Uint8Array): object => ({ mediaType: `application/vnd.oci.image.${mediaType}`, digest: digest(blob), size: blob.length });
  const manifest = json({ schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", config: descriptor("config.v1+json", imageConfig), layers: layers.map((layer) => descriptor("layer.v1.tar+gzip", layer)) });
  const index = json({
    schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [{ ...descriptor("manifest.v1+json", manifest), platform: { architecture, os: "linux" }, annotations: { "io.containerd.image.name": reference, "org.opencontainers.image.ref.name": reference } }],
  });
  const blob = (bytes: Uint8Array): TarEntry => fileEntry(`blobs/sha256/${digest(bytes).slice("sha256:".length)}`, bytes);
  return packTar([fileEntry("oci-layout", json({ imageLayoutVersion: "1.0.0" })), fileEntry("index.json", index), blob(manifest), blob(imageConfig), ...layers.map(blob)]);
}

function fileEntry(name: string, data: Uint8Array, mode = 0o644): TarEntry {
  return { header: { name, size: data.length, mode, mtime: epoch, type: "file" }, body: data };
}

function layerEntry({ path, mode, data, directory, link }: ImageFile): TarEntry {
  if (directory) return { header: { name: path.endsWith("/") ? path : `${path}/`, size: 0, mode: mode ?? 0o755, mtime: epoch, type: "directory" } };
  if (link !== undefined) return { header: { name: path, size: 0, mode: 0o777, mtime: epoch, type: "symlink", linkname: link } };
  return fileEntry(path, typeof data === "string" ? new TextEncoder().encode(data) : data ?? new Uint8Array(), mode);
}
