/** A reference with its defaults spelled out. Source: github.com/distribution/reference ParseDockerRef. */
export interface ImageName {
  registry: string;
  repository: string;
  tag?: string;
  digest?: string;
}

const reference = /^(?:(?<registry>[^/]*[.:][^/]*|localhost)\/)?(?<repository>[a-z0-9]+(?:(?:[._/]|__|-+)[a-z0-9]+)*)(?::(?<tag>\w[\w.-]{0,127}))?(?:@(?<digest>[a-z0-9+._-]+:[0-9a-fA-F]{32,}))?$/;

/** Undefined for what is no image reference (InvalidImageName). */
export function parseImageName(image: string): ImageName | undefined {
  const groups = reference.exec(image)?.groups;
  if (!groups) return undefined;
  const registry = groups["registry"] === undefined || groups["registry"] === "index.docker.io" ? "docker.io" : groups["registry"];
  const repository = groups["repository"]!;
  return {
    registry, repository: registry === "docker.io" && !repository.includes("/") ? `library/${repository}` : repository,
    tag: groups["tag"] ?? (groups["digest"] ? undefined : "latest"), digest: groups["digest"],
  };
}

export function normalizeImageName(image: string): string {
  const name = parseImageName(image);
  if (!name) return image;
  return `${name.registry}/${name.repository}${name.tag ? `:${name.tag}` : ""}${name.digest ? `@${name.digest}` : ""}`;
}
