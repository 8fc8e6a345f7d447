/** CPU in seconds since the beginning, memory in bytes. */
export interface Usage {
  cpuSeconds: number;
  memoryBytes: number;
}

export interface ContainerUsage extends Usage {
  /** Milliseconds since the epoch, by the node's clock. */
  startedAt: number;
}

/** What a kubelet said at `/metrics/resource`. */
export interface Reading {
  /** By the node's clock, in milliseconds since the epoch. */
  at: number;
  /** When it was asked, on our monotonic clock. */
  asked: number;
  node: Usage;
  /** By `namespace/pod`, then by container. */
  pods: ReadonlyMap<string, ReadonlyMap<string, ContainerUsage>>;
}

const line = /^(\w+)(?:\{([^}]*)\})? (\S+)(?: (\d+))?$/gm;
const label = /(\w+)="([^"]*)"/g;
const fields = { container_cpu_usage_seconds_total: "cpuSeconds", container_memory_working_set_bytes: "memoryBytes", container_start_time_seconds: "startedAt" } as const;

/** Undefined when the node itself is missing. Containers of which a figure is missing are left out. */
export function parseReading(text: string, asked: number): Reading | undefined {
  const node: Partial<Usage> = {};
  const containers = new Map<string, Map<string, Partial<ContainerUsage>>>();
  let at = 0;
  for (const [, name = "", labels = "", value, time] of text.matchAll(line)) {
    const amount = Number(value);
    if (name === "node_cpu_usage_seconds_total") [node.cpuSeconds, at] = [amount, Number(time ?? 0)];
    else if (name === "node_memory_working_set_bytes") node.memoryBytes = amount;
    else if (Object.hasOwn(fields, name)) {
      const { container = "", namespace = "", pod = "" } = Object.fromEntries([...labels.matchAll(label)].map(([, key, text]) => [key, text]));
      const key = `${namespace}/${pod}`, field = fields[name as keyof typeof fields];
      const ofPod = containers.get(key) ?? new Map<string, Partial<ContainerUsage>>();
      containers.set(key, ofPod.set(container, { ...ofPod.get(container), [field]: field === "startedAt" ? amount * 1000 : amount }));
    }
  }
  if (node.cpuSeconds === undefined || node.memoryBytes === undefined) return undefined;
  const pods = new Map([...containers].map(([key, ofPod]) => [key, new Map([...ofPod].filter((entry): entry is [string, ContainerUsage] => isWhole(entry[1])))]));
  return { at, asked, node: { cpuSeconds: node.cpuSeconds, memoryBytes: node.memoryBytes }, pods };
}

const isWhole = ({ cpuSeconds, memoryBytes, startedAt }: Partial<ContainerUsage>): boolean => cpuSeconds !== undefined && memoryBytes !== undefined && startedAt !== undefined;
