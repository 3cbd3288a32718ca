/** The XML that stores answer with, bounded before it is parsed, and decoded by schemas. */
import { parseXml, type XmlElement } from "@rgrove/parse-xml"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"

/** The text of an element, or its children by name. A child that is there once is a list of one. */
export type Value = string | { readonly [name: string]: ReadonlyArray<Value> }

export interface Document {
  /** Name of the outermost element. */
  readonly root: string
  readonly children: { readonly [name: string]: ReadonlyArray<Value> }
}

/** Lists are three levels deep, their owners four. */
const maxDepth = 16

export const parseDocument = (text: string): Either.Either<Document, "Html" | "NotXml"> => {
  // A store that keeps the line alive while it works sends spaces first, or between its first line and the rest.
  const xml = text.trim()
  if (/^(<!doctype\s+html|<html)\b/i.test(xml)) return Either.left("Html")
  if (!xml.startsWith("<") || xml.includes("<!DOCTYPE") || depthOf(xml) > maxDepth)
    return Either.left("NotXml")
  return Either.try({
    try: () => parseXml(xml, { ignoreUndefinedEntities: false }).root,
    catch: () => "NotXml" as const
  }).pipe(
    Either.filterOrLeft(
      (root): root is XmlElement => root !== null,
      () => "NotXml" as const
    ),
    Either.map((root) => ({ root: root.name, children: childrenOf(root) }))
  )
}

/** How deep elements are nested, without a stack that could overflow. Text that looks like a tag counts: too deep is no harm. */
const depthOf = (xml: string): number => {
  let depth = 0
  let deepest = 0
  for (const [tag] of xml.matchAll(/<[^!?<>][^<>]*>/g)) {
    if (tag.startsWith("</")) depth -= 1
    else if (!tag.endsWith("/>")) deepest = Math.max(deepest, ++depth)
  }
  return deepest
}

const isElement = (node: XmlElement["children"][number]): node is XmlElement => node.type === "element"

const childrenOf = (element: XmlElement): Document["children"] => {
  const lists = new Map<string, Array<Value>>()
  for (const child of element.children.filter(isElement)) {
    const value = child.children.some(isElement) ? childrenOf(child) : child.text
    const list = lists.get(child.name)
    if (list === undefined) lists.set(child.name, [value])
    else list.push(value)
  }
  return Object.fromEntries(lists)
}

/** An element that is there exactly once. */
const one = <A, I extends string>(schema: Schema.Schema<A, I>) => Schema.Tuple(schema)

/** An element that may be missing. */
const maybe = <A, I extends string>(schema: Schema.Schema<A, I>) =>
  Schema.optionalWith(Schema.Tuple(schema), { exact: true })

const listOf = <A, I>(schema: Schema.Schema<A, I>) =>
  Schema.optionalWith(Schema.Array(schema), { exact: true, default: () => [] })

const Count = Schema.compose(Schema.NumberFromString, Schema.NonNegativeInt)
const Etag = Schema.transform(Schema.String, Schema.String, {
  decode: (text) => text.replace(/^"|"$/g, ""),
  encode: (etag) => `"${etag}"`
})

export const InitiateMultipartUploadResult = Schema.Struct({ UploadId: one(Schema.NonEmptyString) })

export const CompleteMultipartUploadResult = Schema.Struct({ ETag: one(Schema.String) })

export const ListPartsResult = Schema.Struct({
  IsTruncated: maybe(Schema.BooleanFromString),
  NextPartNumberMarker: maybe(Schema.String),
  Part: listOf(Schema.Struct({ PartNumber: one(Count), Size: one(Count), ETag: one(Etag) }))
})

export const ListMultipartUploadsResult = Schema.Struct({
  IsTruncated: maybe(Schema.BooleanFromString),
  NextKeyMarker: maybe(Schema.String),
  NextUploadIdMarker: maybe(Schema.String),
  Upload: listOf(
    Schema.Struct({
      Key: one(Schema.String),
      UploadId: one(Schema.NonEmptyString),
      Initiated: maybe(Schema.String)
    })
  )
})

/** What a store says when it fails. */
export const ErrorAnswer = Schema.Struct({
  Code: one(Schema.NonEmptyString),
  Message: maybe(Schema.String),
  Region: maybe(Schema.String),
  ServerTime: maybe(Schema.String)
})

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" }

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => escapes[character] ?? character)

/** The request to put these parts together. */
export const completeMultipartUpload = (
  parts: ReadonlyArray<{ readonly number: number; readonly etag: string }>
): string => {
  const listed = parts.map(
    ({ etag, number }) =>
      `<Part><PartNumber>${number}</PartNumber><ETag>${escaped(`"${etag}"`)}</ETag></Part>`
  )
  return `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${listed.join("")}</CompleteMultipartUpload>`
}
