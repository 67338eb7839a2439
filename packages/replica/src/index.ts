export * from './bootstrap-operator.ts';
export * from './key-encryptions.ts';
export * from './replay-lost-revocations.ts';
export * from './replica.ts';
export * from './replica-log.ts';
export { whyOf } from './why.ts';
