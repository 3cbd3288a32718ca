/** Mistakes that no test noticed once, said in the words of the source as it is today. */
export interface Mistake {
  readonly name: string
  readonly file: string
  /** Occurs once in the file. */
  readonly find: string
  readonly replace: string
  /** The test that has to fail: its file, and words of its name that no other has. */
  readonly test: readonly [file: string, name: string]
}

export const mistakes: ReadonlyArray<Mistake> = [
  {
    name: "another archive of the same size goes on with the upload resource of the first",
    file: "src/upload/internal/decide.ts",
    find: "return archive.sha256 === digest.sha256",
    replace: "return true",
    test: ["test/upload/ExtensionUpload.resumption.test.ts", ""]
  },
  {
    name: "an archive of our size counts as ours where the service tells no change",
    file: "src/upload/internal/reconcile.ts",
    find: 'conflict(stored)\n      return unknown("the service tells neither a version nor a date")\n    case "Unknown"',
    replace: 'conflict(stored)\n      return applied(match.proof, stored)\n    case "Unknown"',
    test: ["test/upload/ExtensionUpload.reconciliation.test.ts", ""]
  },
  {
    name: "the server is not watched after an earlier run was cut off",
    file: "src/upload/internal/decide.ts",
    find: "record.upload === undefined ? reconcileWindow : 0",
    replace: "record.upload === undefined ? 0 : 0",
    test: ["test/upload/ExtensionUpload.resumption.test.ts", ""]
  },
  {
    name: "the chunk that completes a body is not held back",
    file: "src/transfer/internal/http/sending.ts",
    find: "end < body.length",
    replace: "end <= body.length",
    test: ["test/transfer/UploadHttpClient.test.ts", ""]
  },
  {
    name: "the connection that was answered with 417 stays open",
    file: "src/transfer/internal/http/roundTrip.ts",
    find: "    first.connection.close()\n",
    replace: "",
    test: ["test/transfer/UploadHttpClient.interim.test.ts", ""]
  },
  {
    name: "304 counts as a redirect",
    file: "src/transfer/internal/http/roundTrip.ts",
    find: " && status !== 304",
    replace: "",
    test: ["test/transfer/ResumableUpload.redirect.test.ts", ""]
  },
  {
    name: "an upload with an upload resource is settled by what the extension shows",
    file: "src/upload/internal/deliver.ts",
    find: "upload === undefined && isOutcomeOpen",
    replace: "isOutcomeOpen",
    test: ["test/upload/ExtensionUpload.resumption.test.ts", ""]
  },
  {
    name: "a dead owner's lock is removed without a look at whose it is by now",
    file: "src/journal/internal/fileStore.ts",
    find: "Option.isNone(current) || current.value.token !== holder.token",
    replace: "Option.isNone(current)",
    test: ["test/journal/UploadJournal.file.test.ts", ""]
  },
  {
    name: "the folder is not flushed after a record was written",
    file: "src/journal/internal/fileStore.ts",
    find: "    yield* syncFolder\n",
    replace: "",
    test: ["test/journal/UploadJournal.file.test.ts", ""]
  },
  {
    name: "300 counts as success",
    file: "src/cloud/internal/answer.ts",
    find: "response.status < 300",
    replace: "response.status <= 300",
    test: ["test/cloud/ExtensionsError.test.ts", ""]
  },
  {
    name: "headers that are named after a signature are kept",
    file: "src/cloud/internal/answer.ts",
    find: "api-?key|signature",
    replace: "api-?key",
    test: ["test/cloud/ExtensionsError.test.ts", ""]
  },
  {
    name: "resumption is announced twice",
    file: "src/upload/internal/deliver.ts",
    find: "if (upload === undefined) yield* emit",
    replace: "yield* emit",
    test: ["test/upload/ExtensionUpload.events.test.ts", ""]
  }
]
