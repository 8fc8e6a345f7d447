/** Where agents connect to: `GET`, upgraded to a WebSocket of `tunnelProtocol`, with the node's client certificate. */
export const connectPath = "/v1-skiff/connect";

/** As whom an agent's requests are served. The server knows both from the connection's certificate; an agent chooses between them, no more. */
export const AgentRole = { kubelet: 0, network: 1 } as const;

/** What a server asks of an agent: its kubelet's API, or a `targetPath`, to be passed on to what the machine can reach. Apart, so that no path of the one leads to the other. */
export const ServerRole = { kubelet: 0, targets: 1 } as const;

/**
 * A field of the agent's handshake, with the value `beside` where the agent only lets itself be reached: its API goes to another server. Such a tunnel
 * is refused with 409 where the node has one already, by another name of the same server.
 */
export const purposeField = "skiff-tunnel";
export const beside = "beside";

/** A field of the server's answer, also when it refuses: another for each server, and for each start of it. */
export const serverIdField = "skiff-server";

/** How both ends of a tunnel know that the other is there, when nothing else is said. All times in milliseconds. */
export interface Rhythm {
  /** An agent says something at least so often. */
  pingMs: number;
  /** Of every so many pings one is to be answered: by which the agent knows that the server is there. */
  answeredPings: number;
  /** How long the agent waits for that answer. */
  answerMs: number;
  /** A server that has heard nothing for so long takes the agent for gone: two pings were lost, or more. */
  silenceMs: number;
}

/** Where it carries the API and the heartbeats of the kubelet. */
export const mainRhythm: Rhythm = { pingMs: 10_000, answeredPings: 2, answerMs: 8_000, silenceMs: 28_000 };
/** Beside it: often enough for what stands between to remember the connection. */
export const besideRhythm: Rhythm = { pingMs: 45_000, answeredPings: 2, answerMs: 20_000, silenceMs: 115_000 };

/** Close codes of ours. */
export const CloseCode = { goingAway: 1001, replaced: 4409, unauthorized: 4401 } as const;
