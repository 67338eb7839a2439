import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PeerCertificate, rootCertificates } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SettingsWrong } from '../config/settings.ts';
import { readTls, shownCertificate } from './tls.ts';

const folder = mkdtempSync(join(tmpdir(), 'touchstone-tls-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (text: string | Buffer) => {
  const path = join(folder, `${Math.random()}.pem`);
  writeFileSync(path, text);
  return path;
};
const none = { TLS_CERTIFICATE_FILE: '', TLS_KEY_FILE: '', TLS_CLIENT_CA_FILE: '' };

test('without settings ports speak plain text', () => {
  expect(readTls(none)).toBeNull();
});

test.each<[string, Partial<typeof none>, RegExp]>([
  ['a certificate without its key', { TLS_CERTIFICATE_FILE: file('x') }, /TLS_KEY_FILE is missing/],
  ['a key without its certificate', { TLS_KEY_FILE: file('x') }, /TLS_CERTIFICATE_FILE is missing/],
  ["callers' CAs alone", { TLS_CLIENT_CA_FILE: file('x') }, /TLS_CERTIFICATE_FILE is missing/],
  [
    'a file that is not there',
    { TLS_CERTIFICATE_FILE: '/none', TLS_KEY_FILE: file('x') },
    /TLS_CERTIFICATE_FILE: .* read/,
  ],
  ['what is no PEM', { TLS_CERTIFICATE_FILE: file('hunter2'), TLS_KEY_FILE: file('hunter2') }, /must be a key and its/],
])('%s is told, without what the files hold', (_, given, problem) => {
  const read = () => readTls({ ...none, ...given });
  expect(read).toThrow(SettingsWrong);
  expect(read).toThrow(problem);
  expect(read).not.toThrow(/hunter2/);
});

describe("callers' CAs", () => {
  const own = { TLS_CERTIFICATE_FILE: join(folder, 'own.pem'), TLS_KEY_FILE: join(folder, 'own.key') };
  beforeAll(() => {
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const files = ['-keyout', own.TLS_KEY_FILE, '-out', own.TLS_CERTIFICATE_FILE];
    execFileSync('openssl', ['req', '-x509', ...newKey, ...files, '-subj', '/CN=touchstone'], { stdio: 'ignore' });
  });
  const readCas = (pem: string | Buffer) => readTls({ ...own, TLS_CLIENT_CA_FILE: file(pem) })?.clientCa;
  const [one = '', other = ''] = rootCertificates.map((pem) => pem.trim());
  const lines = other.split('\n');

  test.each<[string, string | Buffer]>([
    ['nothing', ''],
    ['text', 'hunter2'],
    ['DER', new X509Certificate(one).raw],
    ['a key', '-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----\n'],
    ['one, and one whose end is missing', `${one}\n${lines.slice(0, -1).join('\n')}\n`],
    ['one whose end is missing, and one', `${lines.slice(0, -1).join('\n')}\n${one}\n`],
    ['one, and one of which a line is missing', `${one}\n${lines.toSpliced(2, 1).join('\n')}\n`],
  ])('that are %s are refused, for Node would take fewer of them, or none', (_, pem) => {
    const read = () => readCas(pem);
    expect(read).toThrow(SettingsWrong);
    expect(read).toThrow(/TLS_CLIENT_CA_FILE: must be certificates/);
    expect(read).not.toThrow(/hunter2/);
  });

  test('are all taken, also where no line ends between two, and whatever is written beside them', () => {
    const both = [one, other].map((pem) => new X509Certificate(pem).toString());
    expect(readCas(`# Ours\n${one}${other}`)).toEqual(both);
    expect(readCas(`${one}\r\n\r\n# Theirs\r\n${other}\r\n`)).toEqual(both);
  });
});

test.each<[string, string | undefined, string | null]>([
  ['one among others', 'DNS:a.example.com, URI:spiffe://acme/orders, URI:https://a', 'spiffe://acme/orders'],
  ['two', 'URI:spiffe://acme/orders, URI:spiffe://acme/other', null],
  ['none', 'DNS:a.example.com', null],
  ['no names', undefined, null],
  ['one in a name that is quoted', 'DNS:"a, URI:spiffe://acme/orders, b"', null],
  ['one beside a name that is quoted', 'URI:spiffe://acme/orders, DNS:"a, b"', null],
])('a SPIFFE id is known by being the only one: %s', (_, subjectaltname, spiffeId) => {
  const certificate = {
    raw: Buffer.of(1),
    fingerprint256: 'FB:00',
    subjectaltname,
    valid_to: 'Nov 27 16:39:04 2026 GMT',
  };
  expect(shownCertificate(certificate as PeerCertificate)).toEqual({
    sha256: '-wA',
    spiffeId,
    expiresAt: 1795797544000,
  });
});

test('where there is no certificate nothing is shown', () => {
  expect(shownCertificate(undefined)).toBeNull();
  expect(shownCertificate({} as PeerCertificate)).toBeNull();
});
