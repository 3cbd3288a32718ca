/**
 * A line between this machine's programs: everything that goes through it takes half a round trip, and no more than its
 * rate, each way, all connections together. A new connection takes a round trip before its first byte, as TCP does.
 *
 * Arguments: the server's port, the round trip in milliseconds, and the rate in bits per second.
 */

import type { AddressInfo } from "node:net"
import { connect, createServer, type Socket } from "node:net"
import process from "node:process"
import { endWithParent, say } from "./message.ts"

const [port = 0, rttMillis = 0, bitsPerSecond = 0] = process.argv.slice(2).map(Number)
const bytesPerMilli = bitsPerSecond / 8 / 1000
/** What the line itself holds, and a little for the network's own buffers. */
const mostUnderWay = rttMillis * bytesPerMilli + 256 * 1024

/** One direction of the line. */
interface Way {
  freeAt: number
}

/** Moves everything from one socket to the other, its end included. */
const carry = (way: Way, from: Socket, to: Socket, opensAt: number): void => {
  const queue: Array<{ readonly at: number; readonly bytes: Buffer | undefined }> = []
  let underWay = 0
  let isWaiting = false

  const send = (bytes: Buffer | undefined): void => {
    const startsAt = Math.max(performance.now(), opensAt, way.freeAt)
    way.freeAt = startsAt + (bytes?.length ?? 0) / bytesPerMilli
    queue.push({ at: way.freeAt + rttMillis / 2, bytes })
    underWay += bytes?.length ?? 0
    if (underWay > mostUnderWay) from.pause()
    if (!isWaiting) wait()
  }
  const wait = (): void => {
    const [next] = queue
    isWaiting = next !== undefined
    if (next !== undefined) setTimeout(deliver, next.at - performance.now())
  }
  const deliver = (): void => {
    for (let next = queue[0]; next !== undefined && next.at <= performance.now(); next = queue[0]) {
      queue.shift()
      if (next.bytes === undefined) {
        to.end()
        return
      }
      to.write(next.bytes)
      underWay -= next.bytes.length
    }
    if (underWay <= mostUnderWay) from.resume()
    wait()
  }

  from.on("data", send)
  from.on("end", () => send(undefined))
  from.on("error", () => to.destroy())
  from.on("close", () => {
    if (from.errored !== null) to.destroy()
  })
}

const up: Way = { freeAt: 0 }
const down: Way = { freeAt: 0 }

const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
  const upstream = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true })
  carry(up, client, upstream, performance.now() + rttMillis)
  carry(down, upstream, client, 0)
})
server.listen({ host: "127.0.0.1", port: 0, backlog: 1024 }, () => {
  const { port } = server.address() as AddressInfo
  say({ _tag: "Listening", url: `https://127.0.0.1:${port}` })
})
endWithParent()
