/** Processor time and memory of processes, as Linux tells them. */
import { readdirSync, readFileSync } from "node:fs"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { rows } from "../../test/support/workflow/postgres.ts"

/** Of a clock tick, which Linux shows to programs as a hundredth of a second. */
const tickMillis = 10

/** After the name, which may hold anything: state, parent, …; user and system time of the process and of its ended children. */
const statOf = (pid: string) => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields.slice(11, 15).map(Number)
  return {
    parent: fields[1],
    own: (user + system) * tickMillis,
    ended: (endedUser + endedSystem) * tickMillis
  }
}

/** Milliseconds that a process has computed. */
export const processorMillis = (pid: number): number => statOf(String(pid)).own

/** Bytes that a process had in memory at most so far. */
export const peakBytes = (pid: number): number =>
  Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024

/** One may have ended since it was listed. */
const childrenOf = (pid: string) =>
  Arr.filterMap(readdirSync("/proc"), (name) =>
    Option.filter(Option.liftThrowable(statOf)(name), ({ parent }) => parent === pid)
  )

const Server = Schema.Struct({ pid: Schema.String })

/** Milliseconds that a PostgreSQL on this machine has computed, all its processes together. */
export const databaseMillis = (url: string) =>
  Effect.map(
    rows(url, Server, "SELECT split_part(pg_read_file('postmaster.pid'), chr(10), 1) AS pid"),
    ([server = { pid: "self" }]) => {
      const { ended, own } = statOf(server.pid)
      return own + ended + childrenOf(server.pid).reduce((sum, child) => sum + child.own, 0)
    }
  )
