/** Going on with unfinished uploads, one at a time. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ExtensionsClient } from "../../../cloud/ExtensionsClient.ts"
import type { JournalRecord } from "../../../journal/JournalRecord.ts"
import { UploadJournal } from "../../../journal/UploadJournal.ts"
import * as ExtensionUpload from "../../../upload/ExtensionUpload.ts"
import { NoPendingUpload } from "../../ManagementError.ts"
import { resumeCommand } from "../resume.ts"
import type { Given } from "../settings.ts"
import { withReport } from "../uploading.ts"

/** The records at the endpoint in use: all, oldest first, or the one of an extension. */
export const recordsOf = (extensionId: Option.Option<string>) =>
  Effect.gen(function* () {
    const { baseUrl } = yield* ExtensionsClient
    const { records } = yield* (yield* UploadJournal).list
    return records.filter(
      (record) =>
        record.origin === baseUrl &&
        Option.match(extensionId, { onNone: () => true, onSome: (id) => id === record.extensionId })
    )
  })

export const noPendingUpload = (extensionId: string) =>
  Effect.flatMap(ExtensionsClient, ({ baseUrl: endpoint }) => new NoPendingUpload({ extensionId, endpoint }))

/** A journal that holds nothing but this upload. */
const only = (journal: UploadJournal["Type"], record: JournalRecord): UploadJournal["Type"] => ({
  ...journal,
  list: Effect.map(journal.list, (listing) => ({
    ...listing,
    records: listing.records.filter(({ id }) => id === record.id)
  }))
})

/** Finishes one upload. One that another process has finished meanwhile is no longer pending. */
export const finish = (record: JournalRecord, settings: ReadonlyArray<Given>) =>
  Effect.gen(function* () {
    const journal = yield* UploadJournal
    const { extensionId } = record
    const receipt = yield* withReport(resumeCommand(["resume", extensionId], settings), (onEvent) =>
      ExtensionUpload.resumePending({ onEvent }).pipe(
        Effect.provideService(UploadJournal, only(journal, record)),
        Effect.flatMap(([pending]) => Effect.transposeOption(Option.fromNullable(pending?.result)))
      )
    )
    return yield* Option.match(receipt, {
      onNone: () => noPendingUpload(extensionId),
      onSome: Effect.succeed
    })
  })
