/** A cluster that notices in seconds what takes a minute with the defaults. */
export const sharding = {
  shardsPerGroup: 60,
  shardLockExpiration: "3 seconds",
  shardLockRefreshInterval: "1 second",
  entityMessagePollInterval: "500 millis",
  entityReplyPollInterval: "200 millis",
  refreshAssignmentsInterval: "500 millis",
  runnerHealthCheckInterval: "2 seconds",
  entityTerminationTimeout: "1 second"
} as const

/** How patient a cluster is: as in most tests, as it has to be where the machine is busy with a storm, and as it ships. */
export const patience = {
  little: sharding,
  some: { ...sharding, shardLockExpiration: "9 seconds", shardLockRefreshInterval: "3 seconds" },
  shipped: {}
} as const

export type Patience = keyof typeof patience
