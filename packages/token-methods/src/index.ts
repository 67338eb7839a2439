export * from './keys/key-ring.ts';
export * from './keys/master-key-file.ts';
export * from './reference/reference.ts';
