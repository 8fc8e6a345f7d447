import type { HttpRequest, HttpResponse, RawConnection } from "../../../src/base/http.ts";
import { agree, isWebSocketUpgrade, listed } from "../../../src/base/websocket/handshake.ts";
import { WebSocketConnection } from "../../../src/base/websocket/websocket.ts";
import { proxyUpgrade, refuse, upgradeClient } from "./proxy.ts";
import { joinRemoteCommand, type StreamSet } from "./remote-command.ts";
import { upgradeRuntime } from "./runtime-upgrade.ts";
import { joinTunnel } from "./tunnel.ts";

export interface AttachParams extends StreamSet {
  containerId: string;
}

export interface ExecParams extends AttachParams {
  command: string[];
}

export interface PortForwardParams {
  podSandboxId: string;
  /** Named in the query by old WebSocket clients only; empty otherwise: the ports come with the streams. */
  ports: number[];
}

/** Where the streaming URLs come from: the requests have CRI's shapes, the result is the `url` of the answer. */
export interface StreamingRuntime {
  exec(request: { containerId: string; cmd: string[]; stdin: boolean; stdout: boolean; stderr: boolean; tty: boolean }): Promise<string>;
  attach(request: { containerId: string; stdin: boolean; stdout: boolean; stderr: boolean; tty: boolean }): Promise<string>;
  portForward(request: { podSandboxId: string; port: number[] }): Promise<string>;
}

/**
 * The kubelet's streaming endpoints. Each answers its request by an upgrade, or by an error response; the promise resolves when the
 * stream is up, and rejects with the runtime's error when there is no stream to be had.
 */
export interface Streaming {
  exec(request: HttpRequest, response: HttpResponse, params: ExecParams): Promise<void>;
  attach(request: HttpRequest, response: HttpResponse, params: AttachParams): Promise<void>;
  portForward(request: HttpRequest, response: HttpResponse, params: PortForwardParams): Promise<void>;
}

/** Spoken here; every other protocol is passed through to the runtime, which knows the old ones itself. */
const remoteCommandV5 = "v5.channel.k8s.io";
const portForwardTunnel = "SPDY/3.1+portforward.k8s.io";

const remoteCommandV4 = "v4.channel.k8s.io";
const portForwardV1 = "portforward.k8s.io";

export function createStreaming(runtime: StreamingRuntime): Streaming {
  /** `stderr` of a terminal is its stdout; CRI refuses both. */
  const streamsOf = ({ stdin, stdout, stderr, tty }: StreamSet): StreamSet => ({ stdin, stdout, stderr: stderr && !tty, tty });

  const remoteCommand = async (request: HttpRequest, response: HttpResponse, streams: StreamSet, findUrl: () => Promise<string>): Promise<void> => {
    if (!checkUpgrade(request, response)) return;
    if (!streams.stdin && !streams.stdout && !streams.stderr) return complain(response, "you must specify at least 1 of stdin, stdout, stderr");
    const url = await findUrl();
    if (!prefers(request, remoteCommandV5)) return proxyUpgrade(request, response, url);
    await translate(request, response, { url, clientProtocol: remoteCommandV5, runtimeProtocol: remoteCommandV4 },
      (client, connection, early) => joinRemoteCommand(client, connection, early, streams));
  };

  return {
    exec(request, response, { containerId, command, ...rest }) {
      const streams = streamsOf(rest);
      return remoteCommand(request, response, streams, () => runtime.exec({ containerId, cmd: command, ...streams }));
    },
    attach(request, response, { containerId, ...rest }) {
      const streams = streamsOf(rest);
      return remoteCommand(request, response, streams, () => runtime.attach({ containerId, ...streams }));
    },
    async portForward(request, response, { podSandboxId, ports }) {
      if (!checkUpgrade(request, response)) return;
      const url = await runtime.portForward({ podSandboxId, port: ports });
      if (!prefers(request, portForwardTunnel)) return proxyUpgrade(request, response, url);
      await translate(request, response, { url, clientProtocol: portForwardTunnel, runtimeProtocol: portForwardV1 }, joinTunnel);
    },
  };
}

/** Upgrades the runtime first, to SPDY, and the client only then, so that a refusal reaches it as an HTTP error. */
async function translate(
  request: HttpRequest, response: HttpResponse, { url, clientProtocol, runtimeProtocol }: { url: string; clientProtocol: string; runtimeProtocol: string },
  join: (client: WebSocketConnection, runtime: RawConnection, early: Buffer) => void,
): Promise<void> {
  const agreement = agree(request, [clientProtocol]);
  if (typeof agreement === "string") return complain(response, agreement);
  const headers = { Connection: "Upgrade", Upgrade: "SPDY/3.1", "X-Stream-Protocol-Version": runtimeProtocol, "Content-Length": "0" };
  const answer = await upgradeRuntime({ method: "POST", url, headers });
  if (!answer.upgraded) return refuse(response, answer);
  const client = upgradeClient(response, agreement.headers, answer.connection);
  join(new WebSocketConnection(client, { role: "server" }), answer.connection, answer.early);
}

/** Whether the client speaks WebSocket and `protocol`. Newer clients list the newest first, and older ones for old servers. */
const prefers = ({ headers }: HttpRequest, protocol: string): boolean => isWebSocketUpgrade(headers) && listed(headers["sec-websocket-protocol"]).includes(protocol);

function checkUpgrade({ headers }: HttpRequest, response: HttpResponse): boolean {
  if (isWebSocketUpgrade(headers) || headers["upgrade"]?.toLowerCase() === "spdy/3.1") return true;
  complain(response, "Upgrade request required");
  return false;
}

const complain = (response: HttpResponse, message: string): void => response.send(400, { "Content-Type": "text/plain; charset=utf-8" }, `${message}\n`);
