import { z } from 'zod';

const file = (what: string) => z.string().default('').describe(what);

/** With the first two a service's ports speak TLS. */
export const tlsSettings = {
  TLS_CERTIFICATE_FILE: file(
    "File of the service's certificate and those between it and its CA, in PEM: both ports speak TLS; none: plain text.",
  ),
  TLS_KEY_FILE: file("File of the private key of the service's certificate, in PEM."),
  TLS_CLIENT_CA_FILE: file(
    'File of the CAs, in PEM, whose certificates callers may show who they are by; none: nobody is asked for one.',
  ),
};
