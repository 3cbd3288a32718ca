/** What tests of staging need besides `world`: an object store, and a machine that has it. */
import { Effect, Layer } from "effect"
import * as Archive from "../../../src/archive/Archive.ts"
import * as UploadJournal from "../../../src/journal/UploadJournal.ts"
import { ObjectStore } from "../../../src/staging/ObjectStore.ts"
import type { MachineOptions } from "../staging/machine.ts"
import { machine, partBytes } from "../staging/machine.ts"
import type { ObjectStoreServer } from "../staging/objectStore.ts"
import { zipOf } from "../upload/archives.ts"
import { client, sha256, type WorldOptions } from "../upload/world.ts"

/** The store, with parts that are as small as tests need them. */
export const storeFor = (server: ObjectStoreServer, options: MachineOptions = {}) =>
  Layer.effect(
    ObjectStore,
    Effect.map(ObjectStore, (store) =>
      ObjectStore.of({ ...store, limits: { ...store.limits, maxPartBytes: partBytes } })
    )
  ).pipe(Layer.provide(machine(server, options)))

/** Another machine: a client, a store and a journal of its own. */
export const machineFor = (server: ObjectStoreServer, options: WorldOptions = {}) =>
  Layer.mergeAll(client(options), UploadJournal.layerMemory, storeFor(server))

/** A bundle of about so many parts. */
export const bundleOf = (parts: number, name = "words.zip") =>
  Effect.map(zipOf(Math.floor((parts - 0.5) * partBytes)), (bytes) => ({
    bytes,
    archive: Archive.bytes({ name, bytes }),
    key: `elastic/${sha256(bytes)}/${name}`
  }))
