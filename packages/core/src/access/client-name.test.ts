import { expect, test } from 'vitest';
import { clientNamed } from './client-name.ts';

test.each([
  ['app:orders', { kind: 'app', name: 'orders', what: 'app', id: 'orders' }],
  ['resource_server:https://a.b/c', { kind: 'resource_server', name: 'https://a.b/c', what: 'resource_server' }],
  ['identity_service:acme/login', { kind: 'identity_service', name: 'login', what: 'tenant', id: 'acme' }],
])('%s names a client', (text, client) => {
  expect(clientNamed(text)).toMatchObject({ text, ...client });
});

test.each([
  '',
  'app:',
  'orders',
  'operator:ops',
  'App:orders',
  ' app:orders',
  'identity_service:acme',
  'identity_service:/x',
  'app:orders\u0000',
  'app:or ders',
  'identity_service:acme/l\u0000gin',
  'app:ördérs',
])('"%s" names none', (text) => {
  expect(clientNamed(text)).toBeNull();
});
