/** Markdown on standard input as HTML on standard output, by the generator of the site. */
import { text } from "node:stream/consumers"
import { createMarkdownRenderer } from "vitepress"

const renderer = await createMarkdownRenderer(process.cwd())
process.stdout.write(renderer.render(await text(process.stdin)))
