export * from './replica.ts';
export * from './replica-log.ts';
export * from './bootstrap-operator.ts';
