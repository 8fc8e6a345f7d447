/**
 * The preset zlib dictionary of SPDY/3 header blocks: header names, each with its length before it, then values that are often seen
 * (draft-mbelshe-httpbis-spdy-00, section 2.6.10.1).
 */
const names = `options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow authorization
  cache-control connection content-base content-encoding content-language content-length content-location content-md5 content-range
  content-type date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified
  location max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade
  user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie keep-alive origin`;

const values = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative Information"
  + "204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error"
  + "501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
  + "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age="
  + "gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

export const dictionary: Buffer = Buffer.concat([
  ...names.split(/\s+/).map((word) => {
    const text = word.replace("_", " ");
    const entry = Buffer.alloc(4 + text.length);
    entry.writeUInt32BE(text.length, 0);
    entry.write(text, 4);
    return entry;
  }),
  Buffer.from(values),
]);

/** Adler-32 of the dictionary, by which a zlib stream names it (RFC 1950 section 2.2). */
export const dictionaryId: number = adler32(dictionary);

function adler32(bytes: Buffer): number {
  let a = 1;
  let b = 0;
  for (const byte of bytes) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  return ((b << 16) | a) >>> 0;
}
