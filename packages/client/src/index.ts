export { assertions, type ClientKey } from './assertions.ts';
export { type Attenuation, attenuate } from './attenuate.ts';
export { type Authorization, clientOf } from './client-of.ts';
export { Sessions } from './sessions.ts';
