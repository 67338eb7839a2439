import type { MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type PolicyRuleSchema, type PolicySchema, Sensitivity } from '@touchstone/contracts';
import {
  formatRevision,
  holdsForIssued,
  type Policy,
  type PolicyMade,
  type PolicyVersion,
  type Rule,
} from '@touchstone/core';
import { fromSeconds, toSeconds } from './duration.ts';
import {
  clientTypes,
  confirmationKinds,
  hostingTypes,
  methods,
  onLiveTokensMaxes,
  sensitivities,
  usages,
} from './enums.ts';

/** @throws InvalidField */
export const toPolicy = ({ tenantId, version, rules }: MessageShape<typeof PolicySchema>): Policy => ({
  tenantId,
  version,
  rules: rules.map(toRule),
});

const toRule = (rule: MessageShape<typeof PolicyRuleSchema>): Rule => ({
  ruleId: rule.ruleId,
  description: rule.description,
  match: {
    clientType: orAny(rule.clientTypes.map(clientTypes.nameOf)),
    hostingType: orAny(rule.hostingTypes.map(hostingTypes.nameOf)),
    usage: orAny(rule.usages.map(usages.nameOf)),
    audience: orAny(rule.audiences),
    environment: orAny(rule.environments),
  },
  limits: {
    scopes: rule.scopes?.names ?? null,
    sensitivityMax: rule.sensitivityMax === Sensitivity.UNSPECIFIED ? null : sensitivities.nameOf(rule.sensitivityMax),
    ttlMax: toSeconds('policy.rules.token_ttl_max', rule.tokenTtlMax),
    methods: orAny(rule.methods.map(methods.nameOf)),
    confirmations: orAny(rule.confirmations.map(confirmationKinds.nameOf)),
    consentAgeMax: toSeconds('policy.rules.consent_age_max', rule.consentAgeMax),
    liveTokens:
      rule.liveTokensMax === 0
        ? null
        : { max: rule.liveTokensMax, onMax: onLiveTokensMaxes.nameOf(rule.onLiveTokensMax) },
  },
  holdsForIssuedTokens: rule.holdsForIssuedTokens,
});

const orAny = <Value>(values: readonly Value[]): readonly Value[] | null => (values.length > 0 ? values : null);

export const fromPolicy = ({
  policy: { tenantId, version, rules },
  recordedBy,
  reason,
  recordedAt,
}: PolicyVersion): MessageInitShape<typeof PolicySchema> => ({
  tenantId,
  version,
  rules: rules.map(fromRule),
  ...(version === 0 ? {} : { recordedAt: timestampFromMs(recordedAt) }),
  recordedBy,
  reason,
});

export const fromMadePolicy = (made: PolicyMade) => ({
  policy: fromPolicy(made),
  revision: made.head ? formatRevision(made.head) : '',
});

const fromRule = (rule: Rule): MessageInitShape<typeof PolicyRuleSchema> => {
  const { ruleId, description, match, limits } = rule;
  return {
    ruleId,
    description,
    clientTypes: (match.clientType ?? []).map(clientTypes.valueOf),
    hostingTypes: (match.hostingType ?? []).map(hostingTypes.valueOf),
    usages: (match.usage ?? []).map(usages.valueOf),
    audiences: [...(match.audience ?? [])],
    environments: [...(match.environment ?? [])],
    ...(limits.scopes && { scopes: { names: [...limits.scopes] } }),
    ...(limits.sensitivityMax && { sensitivityMax: sensitivities.valueOf(limits.sensitivityMax) }),
    tokenTtlMax: fromSeconds(limits.ttlMax),
    methods: (limits.methods ?? []).map(methods.valueOf),
    confirmations: (limits.confirmations ?? []).map(confirmationKinds.valueOf),
    consentAgeMax: fromSeconds(limits.consentAgeMax),
    ...(limits.liveTokens && {
      liveTokensMax: limits.liveTokens.max,
      onLiveTokensMax: onLiveTokensMaxes.valueOf(limits.liveTokens.onMax),
    }),
    holdsForIssuedTokens: holdsForIssued(rule),
  };
};
