export { assertions, type ClientKey } from './assertions.ts';
export { type Attenuation, attenuate } from './attenuate.ts';
export { type Authorization, type ClientOptions, clientOf } from './client-of.ts';
export type { Tls } from './sessions.ts';
