import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type PeerCertificate } from 'node:tls';
import type { ShownCertificate } from '@touchstone/core';
import { type CommonConfig, SettingsWrong } from '../config/settings.ts';

/** What servers speak TLS with: PEM, all of it. */
export interface Tls {
  readonly certificate: Buffer;
  readonly key: Buffer;
  /** The CAs that certificates of callers are verified up to. */
  readonly clientCa?: readonly string[];
}

type TlsConfig = Pick<CommonConfig, 'TLS_CERTIFICATE_FILE' | 'TLS_KEY_FILE' | 'TLS_CLIENT_CA_FILE'>;

/** Null: plain text. @throws SettingsWrong */
export function readTls(config: TlsConfig): Tls | null {
  const { TLS_CERTIFICATE_FILE, TLS_KEY_FILE, TLS_CLIENT_CA_FILE } = config;
  if (!TLS_CERTIFICATE_FILE && !TLS_KEY_FILE && !TLS_CLIENT_CA_FILE) return null;
  const [certificate, key] = [read('TLS_CERTIFICATE_FILE', config), read('TLS_KEY_FILE', config)];
  requireMatching(certificate, key);
  if (!TLS_CLIENT_CA_FILE) return { certificate, key };
  return { certificate, key, clientCa: certificatesIn(read('TLS_CLIENT_CA_FILE', config).toString()) };
}

function read(name: keyof TlsConfig, config: TlsConfig): Buffer {
  if (!config[name]) throw new SettingsWrong([`${name} is missing: TLS takes a certificate and its key`]);
  try {
    return readFileSync(config[name]);
  } catch {
    throw new SettingsWrong([`${name}: the file can't be read`]);
  }
}

function requireMatching(cert: Buffer, key: Buffer): void {
  try {
    createSecureContext({ cert, key });
  } catch {
    throw new SettingsWrong(['TLS_KEY_FILE and TLS_CERTIFICATE_FILE: must be a key and its certificate, in PEM']);
  }
}

/** Each by itself: given a text, Node takes those before the first that it can't read, and says nothing of the others. */
function certificatesIn(pem: string): string[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs) ?? [];
  const begun = pem.split('-----BEGIN ').length - 1;
  try {
    if (blocks.length > 0 && blocks.length === begun)
      return blocks.map((block) => new X509Certificate(block).toString());
  } catch {
    // Told as what is no certificate at all.
  }
  throw new SettingsWrong(['TLS_CLIENT_CA_FILE: must be certificates, each of them whole, and no keys, in PEM']);
}

/** TLS as Node's servers take it: who has no certificate, or another one, may show who it is in another way. */
export const tlsOptions = ({ certificate, key, clientCa }: Tls) => ({
  cert: certificate,
  key,
  requestCert: clientCa !== undefined,
  rejectUnauthorized: false,
  // Who says nothing must not hold a connection for ever.
  handshakeTimeout: 10_000,
  ...(clientCa === undefined ? {} : { ca: [...clientCa] }),
});

/** What a certificate shows, which has been verified; null where there is none, of which Node makes an object too. */
export function shownCertificate(certificate: PeerCertificate | undefined): ShownCertificate | null {
  if (!certificate?.raw) return null;
  const { fingerprint256, subjectaltname, valid_to } = certificate;
  return {
    sha256: Buffer.from(fingerprint256.replaceAll(':', ''), 'hex').toString('base64url'),
    spiffeId: spiffeIdIn(subjectaltname ?? ''),
    expiresAt: Date.parse(valid_to),
  };
}

const spiffeStart = 'URI:spiffe://';

/** The only SPIFFE id; null: none, or several. Node quotes names that could be taken for more than one: such are not read. */
function spiffeIdIn(alternativeNames: string): string | null {
  if (alternativeNames.includes('"')) return null;
  const [id, ...others] = alternativeNames.split(', ').filter((name) => name.startsWith(spiffeStart));
  return id === undefined || others.length > 0 ? null : id.slice('URI:'.length);
}
