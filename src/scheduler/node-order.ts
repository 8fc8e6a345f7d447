type Labels = Readonly<Record<string, string>>;

/** Where a node is; "" for nowhere in particular. Source: k8s.io/component-helpers/node/topology (GetZoneKey). */
export function zoneOf(labels: Labels): string {
  const zone = labels["failure-domain.beta.kubernetes.io/zone"] ?? labels["topology.kubernetes.io/zone"] ?? "";
  const region = labels["failure-domain.beta.kubernetes.io/region"] ?? labels["topology.kubernetes.io/region"] ?? "";
  return region || zone ? `${region}/${zone}` : "";
}

/** One of each zone in turn, so that a search that ends when it has found enough has been in all of them. Source: kubernetes pkg/scheduler/backend/cache/node_tree.go. */
export function zoneByZone<T extends { readonly labels: Labels }>(nodes: Iterable<T>): T[] {
  const zones = Map.groupBy(nodes, ({ labels }) => zoneOf(labels));
  const ordered: T[] = [];
  for (let i = 0, found = true; found; i++) {
    found = false;
    for (const inZone of zones.values()) {
      if (i >= inZone.length) continue;
      ordered.push(inZone[i]!);
      found = true;
    }
  }
  return ordered;
}
