/** What the server of the behaviour table does, by the path of the request. */
import type { Conversation, Script } from "../transfer/wire.ts"
import { slowly, whenWhole } from "../transfer/wire.ts"

const whole = whenWhole(({ answer, received }) => answer(200, received.sha256))

/** As many interim responses as the client takes, until it has read enough of them; then the answer. */
const flood = ({ answer, received, socket, write }: Conversation) => {
  const line = `HTTP/1.1 104 Supported\r\nx-padding: ${"x".repeat(1500)}\r\n\r\n`
  let sent = 0
  const more = () => {
    if (sent >= 20_000) return answer(200, String(received.bodyBytes))
    sent += 100
    socket.write(line.repeat(100), more)
  }
  setTimeout(() => {
    flooded.set(socket.remotePort ?? 0, sent)
  }, 350)
  write("")
  more()
}

/** Interim responses accepted while the client stood still, by connection. */
export const flooded = new Map<number, number>()

const answerAndClose = ({ answer, received, socket }: Conversation) => {
  if (received.bodyBytes < 300_000) return
  socket.pause()
  socket.removeAllListeners("data")
  answer(413, "too large")
  setImmediate(() => socket.destroy())
}

const cut = ({ socket, write }: Conversation) => {
  write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
  setTimeout(() => socket.destroy(), 50)
}

const download = ({ socket, write }: Conversation) => {
  write(`HTTP/1.1 200 OK\r\ncontent-length: ${64 * 1024 * 1024}\r\n\r\n`)
  for (let n = 0; n < 64; n++) socket.write(new Uint8Array(1024 * 1024))
}

const withoutExpect = ({ answer, received }: Conversation) => {
  if (received.header("expect") !== undefined) answer(417)
}

const interim =
  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 104 Supported\r\nlocation: /u/1\r\n\r\n"

const scripts: Readonly<Record<string, Script>> = {
  silent: { onHead: ({ socket }) => socket.pause() },
  interrupted: {},
  never: {},
  once: whenWhole(({ socket }) => socket.destroy()),
  refused: { onHead: ({ answer }) => answer(401, "who are you") },
  withoutExpect: { ...whole, onHead: withoutExpect },
  interim: { ...whole, onHead: ({ write }) => write(interim) },
  flooded: { onHead: flood },
  early: { onBody: answerAndClose },
  slow: { ...whole, onHead: slowly },
  cut: whenWhole(cut),
  taken: { onHead: download },
  redirected: whenWhole(({ answer }) => answer(307, "", { location: "https://elsewhere.test/path?token=1" }))
}

const scriptOf = ({ received }: Conversation): Script => scripts[received.target.slice(1)] ?? whole

export const byPath: Script = {
  onHead: (conversation) => scriptOf(conversation).onHead?.(conversation),
  onBody: (conversation, bytes) => scriptOf(conversation).onBody?.(conversation, bytes)
}
