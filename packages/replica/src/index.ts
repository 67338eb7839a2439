export * from './bootstrap-operator.ts';
export * from './replica.ts';
export * from './replica-log.ts';
