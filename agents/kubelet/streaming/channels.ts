/**
 * Channels of a remote command over one WebSocket: the first byte of each message is the channel.
 * https://kubernetes.io/docs/reference/using-api/websocket (v5.channel.k8s.io)
 */
export const Channel = { Stdin: 0, Stdout: 1, Stderr: 2, Error: 3, Resize: 4, Close: 255 } as const;

export function channelMessage(channel: number, bytes: Uint8Array): Buffer {
  const message = Buffer.allocUnsafe(1 + bytes.length);
  message[0] = channel;
  message.set(bytes, 1);
  return message;
}
