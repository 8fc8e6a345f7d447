import type { PeerCertificate } from "../../base/http.ts";
import type { UserInfo } from "../../registry/attributes.ts";
import type { Authenticator } from "./authenticator.ts";

/** A verified client certificate: the common name is the user, organizations are its groups. */
export function x509Authenticator(): Authenticator {
  return { authenticate: ({ peer }) => (peer && !peer.frontProxy ? userOf(peer) : undefined) };
}

const known = new WeakMap<PeerCertificate, UserInfo>();

/** Made once per connection. */
function userOf(peer: PeerCertificate): UserInfo {
  let user = known.get(peer);
  if (!user) known.set(peer, user = { name: peer.commonName, groups: peer.organizations, extra: { "authentication.kubernetes.io/credential-id": [`X509SHA256=${peer.fingerprint.replaceAll(":", "").toLowerCase()}`] } });
  return user;
}
