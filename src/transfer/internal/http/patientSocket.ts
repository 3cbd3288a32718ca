import type { Socket } from "node:net"

type WriteCallback = (error?: Error | null) => void

const isReset = (error: Error): boolean =>
  "code" in error && (error.code === "EPIPE" || error.code === "ECONNRESET")

/**
 * Lets a socket read on for a moment after the other side stopped listening.
 *
 * A server that refuses an upload early answers and closes. The next write then fails, and a stream whose write failed is
 * destroyed before the answer, already in the operating system's buffer, was read. So a reset reported to a write is
 * held back: reading goes on, and the answer usually comes out in the same turn of the event loop.
 *
 * @internal
 */
export const makePatient = (socket: Socket, graceMillis: number): void => {
  const patiently =
    (callback: WriteCallback): WriteCallback =>
    (error) => {
      if (!error || !isReset(error)) return callback(error)
      const timer = setTimeout(() => callback(error), graceMillis)
      socket.once("close", () => clearTimeout(timer))
    }

  const write = socket._write
  socket._write = (chunk, encoding, callback) => write.call(socket, chunk, encoding, patiently(callback))
  const writev = socket._writev
  if (writev) socket._writev = (chunks, callback) => writev.call(socket, chunks, patiently(callback))
}
