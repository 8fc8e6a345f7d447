import { writeSync } from "node:fs";

/** What Go's net/http answers, word for word: clients and people know it. */
const answer = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/** Whether a handshake failed because the client spoke HTTP without TLS. */
export const isPlainHttp = (error: Error | null | undefined): boolean => error !== null && error !== undefined && /\bHTTP_REQUEST\b/.test(error.message);

/**
 * Tells a client that spoke plain HTTP its mistake, in plain HTTP: past the TLS socket, which can't say anything before a handshake,
 * to the file descriptor below it. `fd` must be of a connection that is open; what it doesn't take is left out.
 */
export function answerPlainHttp(fd: number | undefined): void {
  if (fd === undefined || fd < 0) return;
  try {
    writeSync(fd, answer);
  } catch {
    // It has gone away already.
  }
}
