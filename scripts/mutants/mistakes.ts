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
    test: [
      "test/upload/ExtensionUpload.interruption.test.ts",
      "gives way to another archive of the same size"
    ]
  },
  {
    name: "an archive of our size counts as ours though it is the very archive of before",
    file: "src/upload/internal/reconcile.ts",
    find: "return isReplaced ? applied(match.proof, stored) : conflict(stored)",
    replace: "return applied(match.proof, stored)",
    test: ["test/upload/ExtensionUpload.conflict.test.ts", "which proves nothing"]
  },
  {
    name: "the server is not watched after an earlier run was cut off",
    file: "src/upload/internal/decide.ts",
    find: "record.upload === undefined ? reconcileWindow : 0",
    replace: "record.upload === undefined ? 0 : 0",
    test: ["test/upload/ExtensionUpload.interruption.test.ts", "costs no second PUT either"]
  },
  {
    name: "the chunk that completes a body is not held back",
    file: "src/transfer/internal/http/sending.ts",
    find: "end < body.length",
    replace: "end <= body.length",
    test: ["test/transfer/UploadHttpClient.test.ts", "has not been whole in the meantime"]
  },
  {
    name: "the connection that was answered with 417 stays open",
    file: "src/transfer/internal/http/roundTrip.ts",
    find: "    first.connection.close()\n",
    replace: "",
    test: ["test/transfer/UploadHttpClient.interim.test.ts", "a 417 that does not end"]
  },
  {
    name: "304 counts as a redirect",
    file: "src/transfer/internal/http/roundTrip.ts",
    find: " && status !== 304",
    replace: "",
    test: ["test/transfer/UploadHttpClient.test.ts", "are not what a 304 is"]
  },
  {
    name: "an upload with an upload resource is settled by what the extension shows",
    file: "src/upload/internal/deliver.ts",
    find: "upload === undefined && isOutcomeOpen",
    replace: "isOutcomeOpen",
    test: ["test/upload/ExtensionUpload.events.test.ts", "tell of no reconciliation"]
  },
  {
    name: "a dead owner's lock is removed without a look at whose it is by now",
    file: "src/journal/internal/fileStore.ts",
    find: "Option.isNone(current) || current.value.token !== holder.token",
    replace: "Option.isNone(current)",
    test: ["test/journal/UploadJournal.file.test.ts", "taken over by somebody faster"]
  },
  {
    name: "the folder is not flushed after a record was written",
    file: "src/journal/internal/fileStore.ts",
    find: "    yield* syncFolder\n",
    replace: "",
    test: ["test/journal/UploadJournal.file.test.ts", "flushes the folder after each change"]
  },
  {
    name: "300 counts as success",
    file: "src/cloud/internal/answer.ts",
    find: "response.status < 300",
    replace: "response.status <= 300",
    test: ["test/cloud/ExtensionsError.test.ts", "300 is UnexpectedResponse"]
  },
  {
    name: "headers that are named after a signature are kept",
    file: "src/cloud/internal/answer.ts",
    find: "api-?key|signature",
    replace: "api-?key",
    test: ["test/cloud/ExtensionsError.test.ts", "in the headers that hold links"]
  },
  {
    name: "resumption is announced twice",
    file: "src/upload/internal/deliver.ts",
    find: "if (upload === undefined) yield* emit",
    replace: "yield* emit",
    test: ["test/upload/ExtensionUpload.events.test.ts", "offer resumption once"]
  }
]
