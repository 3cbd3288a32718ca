/** The site of the documentation. Its pages are prepared by `scripts/site.ts`, which also says which versions they are of. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitepress"

const build = new URL("../../../build/", import.meta.url)
const { base, repository, versions } = JSON.parse(readFileSync(new URL("pages/versions.json", build), "utf8"))

const page = (text, name) => ({ text, link: `/${name}` })

/** As on the host of the repository, so that a link to a heading is right in both places. */
const slugify = (heading) =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-")

export default defineConfig({
  lang: "en",
  title: "Elastic Cloud extensions",
  description:
    "Uploads Elasticsearch plugins and bundles to Elastic Cloud: a command, a GitHub Action, an Effect library.",
  base,
  srcDir: fileURLToPath(new URL("pages", build)),
  outDir: fileURLToPath(new URL("site", build)),
  cleanUrls: true,
  markdown: { anchor: { slugify } },
  themeConfig: {
    versions,
    search: { provider: "local" },
    outline: [2, 3],
    socialLinks: [{ icon: "github", link: repository }],
    nav: [
      page("Getting started", "getting-started"),
      page("Command", "cli"),
      page("Pipelines", "pipelines"),
      { text: "API", link: "/api/index.html", target: "_self" },
      { text: versions[0], link: "/changelog" }
    ],
    sidebar: [
      {
        text: "Begin",
        items: [
          page("What it is", ""),
          page("Getting started", "getting-started"),
          page("Glossary", "glossary")
        ]
      },
      {
        text: "In a shell or a pipeline",
        items: [
          page("The command line", "cli"),
          page("Pipelines", "pipelines"),
          page("Lines of JSON", "json"),
          page("Staging", "staging"),
          page("Archives", "archives"),
          page("Errors", "errors")
        ]
      },
      {
        text: "In an Effect application",
        items: [
          page("Embedding", "embedding"),
          page("Examples", "examples"),
          page("Durable releases", "workflow"),
          page("API and page of a runner", "runner-api"),
          page("Testing your code", "testing"),
          { text: "API reference", link: "/api/index.html", target: "_self" }
        ]
      },
      {
        text: "How it behaves",
        items: [
          page("What survives what", "resumability"),
          page("Runtimes", "runtimes"),
          page("Performance", "performance"),
          page("Reliability", "reliability"),
          page("Scale of releases", "workflow-scale")
        ]
      },
      {
        text: "The project",
        items: [
          page("Changes", "changelog"),
          page("Moving to Effect 4", "moving-to-effect-4"),
          page("Security", "security"),
          page("Contributing", "contributing")
        ]
      }
    ]
  }
})
