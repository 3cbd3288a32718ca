/** The generator's own theme, and on every page the versions that it is about. */
import { useData } from "vitepress"
import DefaultTheme from "vitepress/theme"
import { h } from "vue"
import "./style.css"

const Versions = {
  setup() {
    const { theme } = useData()
    return () => h("p", { class: "versions" }, `About ${theme.value.versions.join(" · ")}`)
  }
}

export default {
  extends: DefaultTheme,
  Layout: () => h(DefaultTheme.Layout, null, { "doc-footer-before": () => h(Versions) })
}
