export * from './gen/touchstone/events/v1/audit_event_pb.ts';
export * from './gen/touchstone/events/v1/revocation_event_pb.ts';
