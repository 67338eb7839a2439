export * from './gen/touchstone/v1/errors_pb.ts';
export * from './gen/touchstone/v1/issuer_pb.ts';
export * from './gen/touchstone/v1/options_pb.ts';
export * from './gen/touchstone/v1/registry_pb.ts';
export * from './gen/touchstone/v1/revocation_pb.ts';
export * from './gen/touchstone/v1/status_pb.ts';
export * from './gen/touchstone/v1/tokens_pb.ts';
export * from './gen/touchstone/v1/validator_pb.ts';
