import type { MessageShape } from '@bufbuild/protobuf';
import {
  ClientType,
  HostingType,
  type RefreshPolicySchema,
  type RegistryService,
  TokenMethod,
} from '@touchstone/contracts';
import {
  type ClientType as ClientTypeName,
  createApp,
  type HostingType as HostingTypeName,
  type RefreshPolicy,
} from '@touchstone/core';
import type { UnaryHandler } from '@touchstone/service-kit';
import type { IssuerContext } from '../context.ts';
import { toSeconds } from './duration.ts';
import { methodNames } from './method-names.ts';
import { required } from './required.ts';

const clientTypeNames: Readonly<Record<Exclude<ClientType, typeof ClientType.UNSPECIFIED>, ClientTypeName>> = {
  [ClientType.SERVICE]: 'service',
  [ClientType.WEB]: 'web',
  [ClientType.NATIVE]: 'native',
  [ClientType.BROWSER]: 'browser',
  [ClientType.PARTNER]: 'partner',
};

const hostingTypeNames: Readonly<Record<Exclude<HostingType, typeof HostingType.UNSPECIFIED>, HostingTypeName>> = {
  [HostingType.FIRST_PARTY]: 'first_party',
  [HostingType.CUSTOMER_CLOUD]: 'customer_cloud',
  [HostingType.PARTNER_CLOUD]: 'partner_cloud',
  [HostingType.ON_PREMISES]: 'on_premises',
  [HostingType.END_USER_DEVICE]: 'end_user_device',
};

/** Seconds. */
const idleDefault = 14 * 86_400;

function toRefreshPolicy(policy: MessageShape<typeof RefreshPolicySchema> | undefined): RefreshPolicy | null {
  if (!policy) return null;
  return {
    ttlMax: required(toSeconds('app.refresh.ttl_max', policy.ttlMax) ?? undefined),
    idleMax: toSeconds('app.refresh.idle_max', policy.idleMax) ?? idleDefault,
    grace: toSeconds('app.refresh.grace', policy.grace) ?? 0,
  };
}

export const createAppHandler =
  ({ registering }: IssuerContext): UnaryHandler<typeof RegistryService.method.createApp> =>
  async (request, { act }) => {
    const app = required(request.app);
    if (app.methods.length === 0) app.methods = [TokenMethod.REFERENCE];
    const { appId, tenantId, displayName, grants } = app;
    await createApp(
      act,
      {
        appId,
        tenantId,
        displayName,
        clientType: required(clientTypeNames[app.clientType as keyof typeof clientTypeNames]),
        hostingType: required(hostingTypeNames[app.hostingType as keyof typeof hostingTypeNames]),
        grants: grants.map(({ audience, scopes }) => ({ audience, scopes })),
        methods: app.methods.map((method) => required(methodNames[method])),
        refresh: toRefreshPolicy(app.refresh),
        tokenTtlMax: toSeconds('app.token_ttl_max', app.tokenTtlMax),
      },
      registering.registry,
    );
    return { app };
  };
