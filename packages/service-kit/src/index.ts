export { validateMessage } from './call/field-rules.ts';
export type { CallContext, Handlers, Refused, Route, StreamHandler, UnaryHandler } from './call/handler.ts';
export { route } from './call/handler.ts';
export { toPresentedProof } from './call/presented-proof.ts';
export { required } from './call/required.ts';
export { keySettings } from './config/key-settings.ts';
export {
  brokerList,
  type CommonConfig,
  commonSettings,
  type DescribedSetting,
  databaseUrl,
  describeSettings,
  fenceMilliseconds,
  readSettings,
  wholeNumber,
} from './config/settings.ts';
export type { Page } from './http/page.ts';
export type { Readiness } from './lifecycle/readiness.ts';
export {
  runService,
  type ServedContext,
  type Service,
  type ServiceRuntime,
} from './lifecycle/run-service.ts';
export type { Metrics } from './telemetry/metrics.ts';
