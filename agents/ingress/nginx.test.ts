import { expect, test } from "bun:test";
import { problemIn } from "./nginx.ts";

test.each([
  ["2026/01/02 03:04:05 [emerg] 394#394: bind() to 0.0.0.0:80 failed (98: Address already in use)", ["port 80 is taken by another program: stop that, or leave Ingresses to it with --disable ingress"]],
  ["2026/01/02 03:04:05 [emerg] 394#394: bind() to [::]:443 failed (98: Address already in use)", ["port 443 is taken by another program: stop that, or leave Ingresses to it with --disable ingress"]],
  ["2026/01/02 03:04:05 [crit] 7#7: *12 SSL_do_handshake() failed", ["SSL_do_handshake() failed"]],
  ["nginx: [emerg] unknown directive \"x\" in nginx.conf:3", ["unknown directive \"x\" in nginx.conf:3"]],
  ["2026/01/02 03:04:05 [error] 7#7: *12 connect() failed (111: Connection refused)", []],
  ["", []],
])("%s", (line, problems) => {
  expect(problemIn(line)).toEqual(problems);
});
