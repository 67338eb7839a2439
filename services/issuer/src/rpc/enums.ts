import * as wire from '@touchstone/contracts';
import type {
  ClientType,
  ConfirmationKind,
  HostingType,
  LiveTokensLimit,
  OnExcess,
  Sensitivity,
  SigningAlgorithm,
  TokenMethodName,
  Usage,
} from '@touchstone/core';
import { required } from '@touchstone/service-kit';

/** The two ways between the values of an enum and the names that the core has for them. */
export interface EnumNames<Value, Name> {
  nameOf(value: Value): Name;
  valueOf(name: Name): Value;
}

/** @param unspecified the name that 0 stands for; absent: the field rules refuse it. */
function enumNames<Value extends number, Name extends string>(
  values: Readonly<Record<Name, Value>>,
  unspecified?: Name,
): EnumNames<Value, Name> {
  const names = new Map(Object.entries<Value>(values).map(([name, value]) => [value as number, name as Name]));
  if (unspecified !== undefined) names.set(0, unspecified);
  return { nameOf: (value) => required(names.get(value)), valueOf: (name) => values[name] };
}

export const clientTypes = enumNames<wire.ClientType, ClientType>({
  service: wire.ClientType.SERVICE,
  web: wire.ClientType.WEB,
  native: wire.ClientType.NATIVE,
  browser: wire.ClientType.BROWSER,
  partner: wire.ClientType.PARTNER,
});

export const hostingTypes = enumNames<wire.HostingType, HostingType>({
  first_party: wire.HostingType.FIRST_PARTY,
  customer_cloud: wire.HostingType.CUSTOMER_CLOUD,
  partner_cloud: wire.HostingType.PARTNER_CLOUD,
  on_premises: wire.HostingType.ON_PREMISES,
  end_user_device: wire.HostingType.END_USER_DEVICE,
});

export const usages = enumNames<wire.Usage, Usage>({
  interactive: wire.Usage.INTERACTIVE,
  batch: wire.Usage.BATCH,
  automation: wire.Usage.AUTOMATION,
  test: wire.Usage.TEST,
});

export const methods = enumNames<wire.TokenMethod, TokenMethodName>(
  {
    reference: wire.TokenMethod.REFERENCE,
    encrypted: wire.TokenMethod.ENCRYPTED,
    consent_key: wire.TokenMethod.CONSENT_KEY,
    signed: wire.TokenMethod.SIGNED,
    split: wire.TokenMethod.SPLIT,
    attenuable: wire.TokenMethod.ATTENUABLE,
  },
  'reference',
);

export const sensitivities = enumNames<wire.Sensitivity, Sensitivity>(
  { low: wire.Sensitivity.LOW, normal: wire.Sensitivity.NORMAL, high: wire.Sensitivity.HIGH },
  'normal',
);

export const signingAlgorithms = enumNames<wire.SigningAlgorithm, SigningAlgorithm>(
  {
    EdDSA: wire.SigningAlgorithm.ED25519,
    ES256: wire.SigningAlgorithm.ES256,
    RS256: wire.SigningAlgorithm.RS256,
  },
  'EdDSA',
);

export const confirmationKinds = enumNames<wire.ConfirmationKind, ConfirmationKind>({
  certificate: wire.ConfirmationKind.CERTIFICATE,
  key: wire.ConfirmationKind.KEY,
});

export const onExcesses = enumNames<wire.OnExcess, OnExcess>(
  { refuse: wire.OnExcess.REFUSE, cut_down: wire.OnExcess.CUT_DOWN },
  'refuse',
);

export const onLiveTokensMaxes = enumNames<wire.OnLiveTokensMax, LiveTokensLimit['onMax']>(
  { refuse: wire.OnLiveTokensMax.REFUSE, revoke_oldest: wire.OnLiveTokensMax.REVOKE_OLDEST },
  'refuse',
);
