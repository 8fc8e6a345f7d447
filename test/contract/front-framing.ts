/** Bytes on one connection, and the statuses that have to come back. `closes`: and then nothing more. */
export interface FramingCase {
  name: string;
  send: string;
  status: number[];
  body?: string[];
  closes?: boolean;
}

const host = "Host: x\r\n";
const hello = `GET /hello HTTP/1.1\r\n${host}\r\n`;
const chunks = `POST /echo HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n`;
/** Would be served if the front misread where the bad request ends. */
const smuggled = `GET /smuggled HTTP/1.1\r\n${host}\r\n`;

const good = (name: string, send: string, body: string[]): FramingCase => ({ name, send, status: body.map(() => 200), body });
const bad = (name: string, send: string, status = 400): FramingCase => ({ name: `${name} → ${status}`, send: send + smuggled, status: [status], closes: true });
const field = (line: string): string => `GET /hello HTTP/1.1\r\n${host}${line}\r\n\r\n`;
const post = (fields: string, body: string): string => `POST /echo HTTP/1.1\r\n${host}${fields}\r\n\r\n${body}`;

export const framingCases: FramingCase[] = [
  good("a plain request", hello, ["hello"]),
  good("pipelined requests are answered in order", hello + post("Content-Length: 3", "abc") + hello, ["hello", "abc", "hello"]),
  good("one empty line before a request", `\r\n${hello}`, ["hello"]),
  good("a chunked body with extension and trailer", `${chunks}3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n${hello}`, ["abcde", "hello"]),
  good("an empty chunked body", `${chunks}0\r\n\r\n${hello}`, ["", "hello"]),
  good("a length of zero", post("Content-Length: 0", hello), ["", "hello"]),
  good("white space around a value", field("X-A: \t b \t"), ["hello"]),
  { name: "HTTP/1.0 closes", send: "GET /hello HTTP/1.0\r\n\r\n", status: [200], body: ["hello"], closes: true },
  good("HTTP/1.0 with keep-alive", `GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n${hello}`, ["hello", "hello"]),
  { name: "Connection: close closes", send: field("Connection: close") + smuggled, status: [200], closes: true },
  { name: "Connection: TE, Close closes", send: field("Connection: TE, Close") + smuggled, status: [200], closes: true },

  bad("content-length and transfer-encoding", post("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n")),
  bad("transfer-encoding and content-length", post("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n")),
  bad("two different content-lengths", post("Content-Length: 5\r\nContent-Length: 0", "")),
  bad("the same content-length twice", post("Content-Length: 0\r\nContent-Length: 0", "")),
  bad("a list of content-lengths", post("Content-Length: 0, 0", "")),
  bad("a signed content-length", post("Content-Length: +3", "abc")),
  bad("a negative content-length", post("Content-Length: -1", "")),
  bad("a hexadecimal content-length", post("Content-Length: 0x3", "abc")),
  bad("an empty content-length", post("Content-Length: ", "")),
  bad("an overlong content-length", post("Content-Length: 99999999999999999999", "")),
  bad("another transfer coding", post("Transfer-Encoding: gzip", ""), 501),
  bad("a list of transfer codings", post("Transfer-Encoding: gzip, chunked", "0\r\n\r\n"), 501),
  bad("chunked, identity", post("Transfer-Encoding: chunked, identity", "0\r\n\r\n"), 501),
  bad("a disguised transfer coding", post("Transfer-Encoding: \x0bchunked", "0\r\n\r\n")),
  bad("xchunked", post("Transfer-Encoding: xchunked", "0\r\n\r\n"), 501),
  bad("transfer-encoding twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n")),
  bad("transfer-encoding in HTTP/1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
  bad("a chunk size that is no number", `${chunks}zz\r\n`),
  bad("an empty chunk size", `${chunks}\r\n`),
  bad("a signed chunk size", `${chunks}+3\r\nabc\r\n0\r\n\r\n`),
  bad("a chunk size with 0x", `${chunks}0x3\r\nabc\r\n0\r\n\r\n`),
  bad("a chunk size that overflows", `${chunks}100000000000000003\r\nabc\r\n0\r\n\r\n`),
  bad("white space before a chunk size", `${chunks} 3\r\nabc\r\n0\r\n\r\n`),
  bad("a chunk ended by a bare line feed", `${chunks}3\nabc\r\n0\r\n\r\n`),
  bad("a chunk longer than its size", `${chunks}3\r\nabcd\r\n0\r\n\r\n`),
  bad("a line feed in a chunk extension", `${chunks}3;a\nb\r\nabc\r\n0\r\n\r\n`),
  bad("a field folded over two lines", field("X-A: b\r\n c")),
  bad("a first field that begins with white space", `GET /hello HTTP/1.1\r\n X: y\r\n${host}\r\n`),
  bad("white space before the colon", field("X-A : b")),
  bad("white space before the colon of content-length", post("Content-Length : 3", "abc")),
  bad("a field without a colon", field("nonsense")),
  bad("a field without a name", field(": value")),
  bad("a name with an invalid character", field("X(A): b")),
  bad("a NUL in a value", field("X-A: a\0b")),
  bad("a bare carriage return in a value", field("X-A: a\rb")),
  bad("a bare line feed in a value", field("X-A: a\nContent-Length: 5")),
  bad("bare line feeds as line ends", "GET /hello HTTP/1.1\nHost: x\n\n"),
  bad("a missing host", "GET /hello HTTP/1.1\r\n\r\n"),
  bad("two hosts", field("Host: y")),
  bad("a host with a path", "GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n"),
  bad("absolute form", `GET http://x/hello HTTP/1.1\r\n${host}\r\n`),
  bad("asterisk form", `OPTIONS * HTTP/1.1\r\n${host}\r\n`),
  bad("authority form", `CONNECT x:443 HTTP/1.1\r\n${host}\r\n`),
  bad("no target", `GET HTTP/1.1\r\n${host}\r\n`),
  bad("two spaces in the request line", `GET  /hello HTTP/1.1\r\n${host}\r\n`),
  bad("white space after the version", `GET /hello HTTP/1.1 \r\n${host}\r\n`),
  bad("a tab in the request line", `GET\t/hello HTTP/1.1\r\n${host}\r\n`),
  bad("a method with an invalid character", `G(T /hello HTTP/1.1\r\n${host}\r\n`),
  bad("a control character in the target", `GET /hel\x01lo HTTP/1.1\r\n${host}\r\n`),
  bad("a byte above ASCII in the target", `GET /hel\u00e4lo HTTP/1.1\r\n${host}\r\n`),
  bad("HTTP/0.9", "GET /hello\r\n\r\n"),
  bad("a lower-case version", `GET /hello http/1.1\r\n${host}\r\n`),
  bad("HTTP/2.0", `GET /hello HTTP/2.0\r\n${host}\r\n`, 505),
  bad("garbage", "\x16\x03\x01\x02\x00\r\n\r\n"),
  bad("an unknown expectation", post("Expect: 200-ok\r\nContent-Length: 0", ""), 417),
];
