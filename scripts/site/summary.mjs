/** The summary of a job, whose end and events come as JSON on standard input, as HTML: Markdown by the generator of the site. */
import { json } from "node:stream/consumers"
import { createMarkdownRenderer } from "vitepress"
import { summaryOf } from "../action/summary.mjs"

const renderer = await createMarkdownRenderer(process.cwd())
process.stdout.write(await renderer.render(summaryOf(await json(process.stdin))))
