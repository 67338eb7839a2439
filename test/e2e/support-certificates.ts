import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate with its key, in PEM, and in files. */
export interface Certificate {
  readonly pem: string;
  readonly key: string;
  readonly file: string;
  readonly keyFile: string;
  /** SHA-256 of its DER encoding, in base64url. */
  readonly sha256: string;
}

/** A certification authority. */
export interface Authority extends Disposable {
  readonly pem: string;
  readonly file: string;
  /**
   * @param alternativeNames as `URI:spiffe://…`.
   * @param days how long it is good from now on; less than 0: it has expired.
   */
  issue(name: string, alternativeNames?: readonly string[], days?: number): Certificate;
}

/** Makes a certification authority, by the command openssl. */
export function openAuthority(name: string): Authority {
  const folder = mkdtempSync(join(tmpdir(), 'touchstone-ca-'));
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '1', '-subj', `/CN=${name}`);
  const file = join(folder, 'ca.pem');
  let issued = 0;
  return {
    pem: readFileSync(file, 'utf8'),
    file,
    issue(subject, alternativeNames = [], days = 1) {
      const base = `${issued++}`;
      openssl('req', ...newKey, '-keyout', `${base}.key`, '-out', `${base}.csr`, '-subj', `/CN=${subject}`);
      const names = alternativeNames.map((one, i) => one.replace(/^(\w+):/, `$1.${i} = `));
      const extensions = names.length > 0 ? ['subjectAltName = @names', '[names]', ...names] : [];
      writeFileSync(join(folder, `${base}.ext`), `${extensions.join('\n')}\n`);
      const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', String(days)];
      openssl('x509', '-req', '-in', `${base}.csr`, '-out', `${base}.pem`, '-extfile', `${base}.ext`, ...signed);
      const pem = readFileSync(join(folder, `${base}.pem`), 'utf8');
      const sha256 = new X509Certificate(pem).fingerprint256.replaceAll(':', '');
      return {
        pem,
        key: readFileSync(join(folder, `${base}.key`), 'utf8'),
        file: join(folder, `${base}.pem`),
        keyFile: join(folder, `${base}.key`),
        sha256: Buffer.from(sha256, 'hex').toString('base64url'),
      };
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}
