import { describe, expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import { planOf, sizeOfPart } from "../../../../src/staging/internal/archiveStaging/parts.ts"

const mebibyte = 1024 * 1024
const limits = { minPartBytes: 5 * mebibyte, maxPartBytes: 5 * 1024 * mebibyte, maxParts: 10_000 }

describe("planOf", () => {
  it.prop(
    "covers every archive, within what the store takes and the memory that was asked for",
    [
      FastCheck.integer({ min: 1, max: 2 ** 42 }),
      FastCheck.integer({ min: -1, max: 64 * mebibyte }),
      FastCheck.integer({ min: 0, max: 16 })
    ],
    ([size, partBytes, concurrency]) => {
      const plan = planOf(size, limits, { partBytes, concurrency })
      const last = sizeOfPart(plan, plan.count)
      expect((plan.count - 1) * plan.partBytes + last).toBe(size)
      expect(last).toBeGreaterThan(0)
      expect(last).toBeLessThanOrEqual(plan.partBytes)
      expect(plan.count).toBeLessThanOrEqual(limits.maxParts)
      expect(plan.partBytes).toBeGreaterThanOrEqual(limits.minPartBytes)
      expect(plan.partBytes).toBeLessThanOrEqual(limits.maxPartBytes)
      const asked = Math.max(1, concurrency) * Math.max(limits.minPartBytes, partBytes)
      expect(plan.concurrency === 1 || plan.concurrency * plan.partBytes <= asked).toBe(true)
      expect([sizeOfPart(plan, 0), sizeOfPart(plan, plan.count + 1)]).toEqual([0, 0])
    }
  )

  it("is four parts of 8 MiB at once, unless told otherwise", () => {
    expect(planOf(8_000_000_000, limits, {})).toEqual({
      size: 8_000_000_000,
      partBytes: 8 * mebibyte,
      count: 954,
      concurrency: 4
    })
  })

  it("has larger parts, and fewer at once, where there would be too many", () => {
    expect(planOf(200_000 * mebibyte, limits, {})).toMatchObject({ partBytes: 20 * mebibyte, concurrency: 1 })
  })
})
