/**
 * Takes the comment at the head of each module for the module's own. TypeDoc by itself wants a tag for that, which every
 * module would have to repeat.
 */
import { Comment, Converter, ReflectionKind } from "typedoc"

/** Without asterisks, and up to the first tag. */
const headComment = (source) =>
  /^\/\*\*([\s\S]*?)(?:\n \* @|\*\/)/
    .exec(source)?.[1]
    ?.replace(/^[ \t]*\* ?/gm, "")
    .trim()

/** @param {import("typedoc").Application} app */
export const load = (app) => {
  app.converter.on(Converter.EVENT_CREATE_DECLARATION, (context, reflection) => {
    if (!reflection.kindOf(ReflectionKind.Module)) return
    const [file] = context.getSymbolFromReflection(reflection)?.declarations ?? []
    const text = headComment(file?.getSourceFile().text ?? "")
    if (text !== undefined && text !== "") reflection.comment = new Comment([{ kind: "text", text }])
  })
}
