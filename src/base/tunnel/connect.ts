/** Where agents connect to: `GET`, upgraded to a WebSocket of `tunnelProtocol`, with the node's client certificate. */
export const connectPath = "/v1-skiff/connect";

/** As whom an agent's requests are served. The server knows both from the connection's certificate; an agent chooses between them, no more. */
export const AgentRole = { kubelet: 0, network: 1 } as const;

/** What a server asks of an agent: its kubelet's API, or a `targetPath`, to be passed on to what the machine can reach. Apart, so that no path of the one leads to the other. */
export const ServerRole = { kubelet: 0, targets: 1 } as const;

/** An agent says something at least so often, in milliseconds. */
export const pingMs = 10_000;
/** Of every so many pings one is to be answered: by which the agent knows that the server is there. */
export const answeredPings = 2;
/** How long the agent waits for that answer. */
export const answerMs = 8_000;
/** A server that has heard nothing for so long takes the agent for gone: two pings were lost, or more. */
export const silenceMs = 28_000;

/** Close codes of ours. */
export const CloseCode = { goingAway: 1001, replaced: 4409, unauthorized: 4401 } as const;
