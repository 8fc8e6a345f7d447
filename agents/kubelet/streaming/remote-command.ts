import type { RawConnection } from "../../../src/base/http.ts";
import { SpdySession } from "../../../src/base/spdy/session.ts";
import type { SpdyStream } from "../../../src/base/spdy/stream.ts";
import type { WebSocketConnection } from "../../../src/base/websocket/websocket.ts";
import { Channel, channelMessage } from "./channels.ts";

/** Which streams a remote command has. */
export interface StreamSet {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

const maxStatusBytes = 64 << 10;
const brokenOff = JSON.stringify({
  metadata: {}, status: "Failure", reason: "InternalError", code: 500, message: "Internal error occurred: the container runtime closed the stream without a result",
});

/**
 * Joins a client that speaks v5.channel.k8s.io (WebSocket) to a runtime that speaks v4.channel.k8s.io over SPDY. In both the error
 * channel ends with a Status as JSON, which passes unchanged; v5's close of stdin becomes the half-close of the SPDY stream.
 */
export function joinRemoteCommand(client: WebSocketConnection, runtime: RawConnection, early: Buffer, streams: StreamSet): void {
  const session = new SpdySession(runtime, { role: "client", flowControl: "none" });
  const open = (streamtype: string): SpdyStream => session.open({ streamtype });
  const error = open("error");
  const stdin = streams.stdin ? open("stdin") : undefined;
  const stdout = streams.stdout ? open("stdout") : undefined;
  const stderr = streams.stderr && !streams.tty ? open("stderr") : undefined;
  const resize = streams.tty ? open("resize") : undefined;

  client.onMessage = (message) => {
    const bytes = message.subarray(1);
    if (message[0] === Channel.Stdin && stdin !== undefined) {
      if (!stdin.write(bytes)) holdBack(client, stdin);
    } else if (message[0] === Channel.Resize) resize?.write(bytes);
    else if (message[0] === Channel.Close && bytes[0] === Channel.Stdin) stdin?.end();
  };
  client.onClose = () => session.destroy();

  const status: Buffer[] = [];
  let statusBytes = 0;
  let unfinished = 1 + (stdout ? 1 : 0) + (stderr ? 1 : 0);
  let finished = false;
  const finish = (): void => {
    if (finished) return;
    finished = true;
    client.send(channelMessage(Channel.Error, statusBytes > 0 ? Buffer.concat(status) : Buffer.from(brokenOff)));
    client.close(1000);
    session.end();
  };
  const finishWith = (stream: SpdyStream): void => {
    let open = true;
    const over = (): void => {
      if (!open) return;
      open = false;
      if (--unfinished === 0) finish();
    };
    stream.onEnd = over;
    stream.onClose = over;
  };
  const output = (stream: SpdyStream | undefined, channel: number): void => {
    if (stream === undefined) return;
    stream.onData = (bytes) => {
      if (!client.send(channelMessage(channel, bytes))) holdBack(session, client);
    };
    finishWith(stream);
  };
  output(stdout, Channel.Stdout);
  output(stderr, Channel.Stderr);
  error.onData = (bytes) => {
    statusBytes += bytes.length;
    if (statusBytes <= maxStatusBytes) status.push(bytes);
  };
  finishWith(error);
  session.onClose = finish;

  // Kubernetes tells the client by an empty message that the streams are up.
  client.send(channelMessage(stdout ? Channel.Stdout : stderr ? Channel.Stderr : Channel.Error, Buffer.alloc(0)));
  if (early.length > 0) runtime.onData(early);
}

/** Reads no more from `source` until `sink` has taken what is queued. */
export function holdBack(source: { pause(): void; resume(): void }, sink: { drained(): Promise<void> }): void {
  source.pause();
  void sink.drained().then(() => source.resume());
}
