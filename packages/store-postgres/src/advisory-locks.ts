/** The advisory locks of the database: each is for one connection at a time. */
export const locks = {
  /** Who migrates: the second one waits, and then finds nothing to do. */
  migration: 7_003_000,
  /** The relay that publishes. */
  relay: 7_003_001,
  /** Who makes partitions. */
  upkeep: 7_003_002,
  /** Who deletes what is spent: two would wait for each other's rows. */
  deletion: 7_003_003,
  /** Who erases users, and who erases tenants. */
  userErasure: 7_003_004,
  tenantErasure: 7_003_005,
} as const;
