import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PeerCertificate } from 'node:tls';
import { afterAll, expect, test } from 'vitest';
import { SettingsWrong } from '../config/settings.ts';
import { readTls, shownCertificate } from './tls.ts';

const folder = mkdtempSync(join(tmpdir(), 'touchstone-tls-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (text: string) => {
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
