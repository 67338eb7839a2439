export * from './audit-codec.ts';
export * from './kafka/connection.ts';
export * from './kafka/publisher.ts';
export * from './kafka/source.ts';
export * from './kafka/topics.ts';
export * from './relay.ts';
export * from './revision-codec.ts';
export * from './revision-event.ts';
