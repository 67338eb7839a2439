import type { ServiceRole } from '@touchstone/local-stack';
import type { Rights } from './rights.ts';

/** What PostgreSQL lets everybody do who may connect. */
const everybody: Rights = {
  database: 'connect temporary',
  'schema information_schema': 'usage',
  'schema pg_catalog': 'usage',
  'schema public': 'usage',
};

/** What everyone may know of a signing key; the private half is the issuer's business alone. */
const publicHalf =
  'select(activated_at,algorithm,created_at,disabled_revision,mac,public_jwk,retired_at,signing_key_id,state,tenant_id)';

const owned = 'delete insert maintain own references select trigger truncate update';

/** All that each service's login may do, and nothing else. Whoever grants more has to say so here. */
export const allowed: Readonly<Record<ServiceRole, Rights>> = {
  issuer: {
    ...everybody,
    role: 'touchstone_issuer',
    'function current_timeline': 'execute',
    'schema touchstone': 'usage',
    'sequence outbox_id': 'select usage',
    'sequence token_sequence': 'select usage',
    'table app': 'insert select update(disabled_revision)',
    'table census': 'insert select update',
    'table consent': 'insert select',
    'table consent_key': 'insert select',
    'table data_key': 'insert select',
    'table dpop_proof': 'insert select(hash)',
    'table history': 'select update',
    'table outbox': 'insert',
    'table outbox partition': 'insert',
    'table promotion': 'select update',
    'table refresh_use': 'insert select',
    'table resource_server':
      'insert select update(disabled_revision,display_name,exchanges,mac,pairwise_sector,released_claims,scopes,token_ttl_max)',
    'table revision': 'insert select',
    'table revocation': 'insert select',
    'table signing_key': 'insert select update(activated_at,retired_at,state)',
    'table tenant': 'insert select update(disabled_revision,registry_version)',
    'table token': 'insert select',
    'table token partition': 'insert select',
    'table watermark': 'insert select update',
  },
  validator: {
    ...everybody,
    role: 'touchstone_validator',
    'function current_timeline': 'execute',
    'schema touchstone': 'usage',
    'table census': 'insert select update',
    'table consent_key': 'select',
    'table data_key': 'select',
    'table dpop_proof': 'insert select(hash)',
    'table history': 'select',
    'table promotion': 'select update',
    'table resource_server': 'select',
    'table revision': 'select',
    'table signing_key': publicHalf,
    'table token': 'select',
    'table token partition': 'select',
    'table watermark': 'select',
  },
  revocation: {
    ...everybody,
    role: 'touchstone_revocation',
    'function current_timeline': 'execute',
    'schema touchstone': 'usage',
    'sequence outbox_id': 'select usage',
    'sequence token_sequence': 'select',
    'table app': 'select',
    'table census': 'insert select update',
    'table consent':
      'select(app_id,consent_id,disabled_revision,expires_at,grants,mac,recorded_at,tenant_id,user_handle) update(disabled_revision)',
    'table consent_key': 'delete select',
    'table coverage': 'insert select',
    'table data_key': 'select',
    'table history': 'select update',
    'table outbox': 'insert select',
    'table outbox partition': 'insert select',
    'table promotion': 'select update',
    'table relay_position': 'select update',
    'table resource_server': 'select',
    'table revision': 'insert select',
    'table revocation': 'insert select',
    'table signing_key': `${publicHalf} update(disabled_revision)`,
    'table tenant': 'select update(registry_version)',
    'table token': 'select',
    'table token partition': 'select',
    'table watermark': 'insert select update',
  },
  // Who may drop a partition has to own it, and the owner may do everything to it.
  upkeep: {
    ...everybody,
    role: 'touchstone_upkeep',
    'function attach_outbox_partition': 'execute',
    'function attach_token_partition': 'execute',
    'function current_timeline': 'execute',
    'schema touchstone': 'create usage',
    'sequence outbox_id': 'select',
    'table census': 'delete select',
    'table dpop_proof': 'delete select',
    'table outbox': owned,
    'table outbox partition': owned,
    'table promotion': 'select',
    'table refresh_use': 'delete select(expires_at)',
    'table relay_position': 'select',
    'table token': owned,
    'table token partition': owned,
  },
};
