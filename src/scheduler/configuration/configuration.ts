/** A file of kubescheduler.config.k8s.io/v1, as written. Source: k8s.io/kube-scheduler/config/v1. */
export interface KubeSchedulerConfiguration {
  parallelism?: number;
  leaderElection?: { leaderElect?: boolean; resourceLock?: string };
  clientConnection?: { burst?: number };
  percentageOfNodesToScore?: number;
  podInitialBackoffSeconds?: number;
  podMaxBackoffSeconds?: number;
  profiles?: KubeSchedulerProfile[];
  extenders?: ExtenderFields[];
  enableProfiling?: boolean;
  delayCacheUntilActive?: boolean;
}

export interface KubeSchedulerProfile {
  schedulerName?: string;
  percentageOfNodesToScore?: number;
  plugins?: Readonly<Record<string, PluginSet>>;
  /** `args` are as written until `readPluginArgs` has read them. */
  pluginConfig?: { name?: string; args?: unknown }[];
}

export interface PluginSet {
  enabled?: readonly { name?: string; weight?: number }[];
  disabled?: readonly { name?: string }[];
}

export interface ExtenderFields {
  urlPrefix?: string;
  filterVerb?: string;
  preemptVerb?: string;
  prioritizeVerb?: string;
  weight?: number;
  bindVerb?: string;
  enableHTTPS?: boolean;
  tlsConfig?: ExtenderTlsFields;
  httpTimeout?: string;
  nodeCacheCapable?: boolean;
  managedResources?: { name?: string; ignoredByScheduler?: boolean }[];
  ignorable?: boolean;
}

/** The data is base64 of PEM. */
export interface ExtenderTlsFields {
  insecure?: boolean;
  serverName?: string;
  certFile?: string;
  keyFile?: string;
  caFile?: string;
  certData?: string;
  keyData?: string;
  caData?: string;
}
