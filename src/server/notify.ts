import { dlopen, FFIType } from "bun:ffi";

const unixFamily = 1;
const datagram = 2;
const libraries = ["libc.so.6", "libc.so"];
const symbols = {
  socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  sendto: { args: [FFIType.i32, FFIType.ptr, FFIType.u64, FFIType.i32, FFIType.ptr, FFIType.u32], returns: FFIType.i64 },
  close: { args: [FFIType.i32], returns: FFIType.i32 },
} as const;

/**
 * Tells systemd how the service is, as sd_notify(3): "READY=1", "STOPPING=1", "STATUS=…". Returns false where no init system listens.
 * By libc, since the socket is a Unix datagram socket, which Bun has no API for.
 */
export function notifyInit(state: string, path = process.env["NOTIFY_SOCKET"]): boolean {
  if (!path) return false;
  const libc = openLibc();
  if (!libc) return false;
  const descriptor = libc.symbols.socket(unixFamily, datagram, 0);
  if (descriptor < 0) return false;
  const address = socketAddress(path);
  const message = Buffer.from(state);
  const sent = libc.symbols.sendto(descriptor, message, message.length, 0, address, address.length);
  libc.symbols.close(descriptor);
  libc.close();
  return Number(sent) === message.length;
}

function openLibc(): ReturnType<typeof dlopen<typeof symbols>> | undefined {
  for (const name of libraries) {
    try {
      return dlopen(name, symbols);
    } catch {
      continue;
    }
  }
  return undefined;
}

/** struct sockaddr_un; a name that begins with @ is abstract. */
function socketAddress(path: string): Buffer {
  const abstract = path.startsWith("@");
  const address = Buffer.alloc(2 + Buffer.byteLength(path) + (abstract ? 0 : 1));
  address.writeUInt16LE(unixFamily, 0);
  address.write(path, 2);
  if (abstract) address[2] = 0;
  return address;
}
