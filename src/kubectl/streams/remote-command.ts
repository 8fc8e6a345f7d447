import type { Status } from "../../apis/generated/meta/v1.ts";
import { KubectlError, RemoteExit } from "../errors.ts";
import type { Session } from "../session.ts";
import { drained } from "./node-connection.ts";
import { openWebSocket } from "./upgrade.ts";

/** The channels of a remote command: the first byte of each message. Source: KEP-4006. */
const Channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

export interface RemoteCommand {
  /** Of the pod's `exec` or `attach`. */
  path: string;
  container: string;
  command?: readonly string[];
  stdin: boolean;
  tty: boolean;
  /** Without the standard output, as `attach` of a quiet command. */
  quiet?: boolean;
}

/** Runs a command in a container, or joins the one that runs, with this process's streams. Throws `RemoteExit` when it ends with another code than 0. */
export async function runRemoteCommand(session: Session, { path, container, command = [], stdin, tty }: RemoteCommand): Promise<void> {
  const query = new URLSearchParams(command.map((word): [string, string] => ["command", word]));
  query.set("container", container);
  for (const [name, wanted] of Object.entries({ stdin, stdout: true, stderr: !tty, tty })) if (wanted) query.set(name, "true");
  const { socket, start } = await openWebSocket(session.api, path, query, ["v5.channel.k8s.io"]);
  const { promise: ended, resolve, reject } = Promise.withResolvers<Status | undefined>();
  let status: Status | undefined;
  socket.onMessage = (message) => {
    const channel = message[0], bytes = message.subarray(1);
    if (channel === Channel.error) {
      status = JSON.parse(bytes.toString()) as Status;
      return;
    }
    if (bytes.length === 0) return;
    const output = channel === Channel.stderr ? process.stderr : process.stdout;
    if (output.write(bytes)) return;
    socket.pause();
    void drained(output).then(() => socket.resume());
  };
  socket.onClose = () => (status ? resolve(status) : reject(new KubectlError("the connection ended before the command did")));
  const restore = tty ? rawTerminal(session, (columns, rows) => socket.send(frame(Channel.resize, Buffer.from(JSON.stringify({ Width: columns, Height: rows }))))) : () => {};
  try {
    start();
    if (stdin) void sendInput(session, socket);
    judge(await ended);
  } finally {
    restore();
    socket.destroy();
  }
}

const frame = (channel: number, bytes: Uint8Array): Buffer => Buffer.concat([Buffer.from([channel]), bytes]);

const largestPiece = 32 << 10, mostQueued = 1 << 20;

async function sendInput({ stdin }: Session, socket: { send(bytes: Uint8Array): boolean; queuedBytes: number; drained(): Promise<void> }): Promise<void> {
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk as Uint8Array);
    for (let at = 0; at < bytes.length; at += largestPiece) {
      socket.send(frame(Channel.stdin, bytes.subarray(at, at + largestPiece)));
      if (socket.queuedBytes > mostQueued) await socket.drained();
    }
  }
  socket.send(Buffer.from([Channel.close, Channel.stdin]));
}

/** Hands keys over one by one and tells the size, now and when it changes. Returns what undoes it. */
function rawTerminal({ stdin }: Session, resized: (columns: number, rows: number) => void): () => void {
  const { stdout } = process;
  const tell = (): void => {
    if (stdout.columns) resized(stdout.columns, stdout.rows);
  };
  const restore = makeRaw(stdin);
  stdout.on("resize", tell);
  tell();
  return () => {
    stdout.off("resize", tell);
    restore();
  };
}

/** Neither line editing here nor translated line ends: `setRawMode` leaves those on, which full-screen programs would suffer from. */
function makeRaw(stdin: Session["stdin"]): () => void {
  const stty = (...words: string[]): string | undefined => {
    try {
      const { exitCode, stdout } = Bun.spawnSync(["stty", ...words], { stdin: "inherit", stdout: "pipe", stderr: "ignore" });
      return exitCode === 0 ? stdout.toString().trim() : undefined;
    } catch {
      return undefined;
    }
  };
  const saved = stty("-g");
  if (saved !== undefined && stty("raw", "-echo") !== undefined) return () => void stty(saved);
  stdin.setRawMode?.(true);
  return () => void stdin.setRawMode?.(false);
}

function judge(status: Status | undefined): void {
  if (!status || status.status === "Success") return;
  const code = status.details?.causes?.find(({ reason }) => reason === "ExitCode")?.message;
  if (status.reason === "NonZeroExitCode" && code !== undefined) throw new RemoteExit(`command terminated with exit code ${code}`, Number(code));
  throw new KubectlError(status.message ?? "the command failed");
}
