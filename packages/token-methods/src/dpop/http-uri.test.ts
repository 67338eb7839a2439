import fc from 'fast-check';
import { expect, test } from 'vitest';
import { normalisedUri } from './http-uri.ts';

test.each([
  ['https://api.example.com/orders', 'https://api.example.com/orders'],
  ['HTTPS://API.Example.COM/Orders', 'https://api.example.com/Orders'],
  ['https://api.example.com:443/orders', 'https://api.example.com/orders'],
  ['http://api.example.com:80/orders', 'http://api.example.com/orders'],
  ['https://api.example.com:8443/orders', 'https://api.example.com:8443/orders'],
  ['https://api.example.com', 'https://api.example.com/'],
  ['https://api.example.com?a=b', 'https://api.example.com/'],
  ['https://api.example.com/orders?a=b&c=/d#e', 'https://api.example.com/orders'],
  ['https://api.example.com/orders#e', 'https://api.example.com/orders'],
  ['https://api.example.com/a/./b/../c', 'https://api.example.com/a/c'],
  ['https://api.example.com/%7ejoe/%6Frders%2f%e2%82%ac', 'https://api.example.com/~joe/orders%2F%E2%82%AC'],
  ['https://api.example.com/a//b/', 'https://api.example.com/a//b/'],
  ['https://[2001:DB8::1]:443/', 'https://[2001:db8::1]/'],
])('%s is %s', (text, normalised) => {
  expect(normalisedUri(text)).toBe(normalised);
});

test.each([
  '',
  '/orders',
  'api.example.com/orders',
  'ftp://api.example.com/',
  'javascript:alert(1)',
  'https:api.example.com/orders',
  'https:///orders',
  'https://user@api.example.com/',
  'https://user:secret@api.example.com/',
  'https://api.example.com\\@evil.example.com/',
  ' https://api.example.com/',
  'https://api.example.com/a b',
  'https://api.example.com/\n',
  'https://api.exam\tple.com/',
  'https://api.example.com:99999/',
])('%j is no URI of a request', (text) => {
  expect(normalisedUri(text)).toBeNull();
});

test('what is normalised stays as it is', () => {
  fc.assert(
    fc.property(fc.webUrl({ withQueryParameters: true, withFragments: true }), (url) => {
      const once = normalisedUri(url);
      expect(once).not.toBeNull();
      expect(normalisedUri(once ?? '')).toBe(once);
    }),
  );
});
