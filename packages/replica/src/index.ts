export * from './replica.ts';
export * from './replica-log.ts';
