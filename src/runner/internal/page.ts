/** The page: three files and a picture, served as they are, and nothing else beside them. */
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { icon, markup } from "./page/markup.ts"
import { script } from "./page/script.ts"
import { style } from "./page/style.ts"

/**
 * Nothing but what this runner serves, no code or style written into the markup, nobody's frame, no form that leads elsewhere, and
 * no text that becomes markup.
 */
export const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'"
].join("; ")

const file = (text: string, contentType: string) => HttpServerResponse.text(text, { contentType })

export const routes = HttpRouter.empty.pipe(
  HttpRouter.get("/", file(markup, "text/html; charset=utf-8")),
  HttpRouter.get("/page.css", file(style, "text/css; charset=utf-8")),
  HttpRouter.get("/page.js", file(script, "text/javascript; charset=utf-8")),
  HttpRouter.get("/page.svg", file(icon, "image/svg+xml"))
)
