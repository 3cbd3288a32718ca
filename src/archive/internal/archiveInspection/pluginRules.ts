/**
 * The rules for plugins: those of Elasticsearch's installer and of a node that loads what it installed, each with the
 * versions it holds for and the class of elastic/elasticsearch that it comes from.
 *
 * To add a property, add a row to `properties`. To add a rule, add a row to `rules`: it holds for descriptors that name a
 * version of Elasticsearch from `since` on and before `before`, of either kind unless it names one.
 */

import { Buffer } from "node:buffer"
import { isFullVersion } from "../../../elasticsearchVersion.ts"
import type { ProblemCode } from "../../ArchiveProblem.ts"
import type { Contents } from "./entries.ts"
import { printable, quoted } from "./problems.ts"
import { isBlank } from "./properties.ts"

export type PluginKind = "classic" | "stable"

/** A plugin as the rules see it. */
export interface Plugin {
  readonly kind: PluginKind
  /** The descriptor's file name. */
  readonly descriptor: string
  readonly properties: ReadonlyMap<string, string>
  /** The version of Elasticsearch that it names, where it names one. */
  readonly elasticsearch: Version | undefined
  readonly contents: Contents
}

export type Version = readonly [major: number, minor: number, patch: number]

interface Said {
  readonly message: string
  readonly remedy: string
  readonly entry?: string
}

interface Range {
  readonly kind?: PluginKind
  readonly since?: string
  readonly before?: string
}

export interface Rule extends Range {
  readonly code: ProblemCode
  /** Default: an error. */
  readonly severity?: "warning"
  readonly source: string
  /** What breaks the rule. */
  readonly broken: (plugin: Plugin) => Said | undefined
}

interface Property extends Range {
  readonly key: string
  /** Whether it may be left out, may be empty, or has to say something. */
  readonly presence?: "required" | "not-blank"
  readonly isBoolean?: true
}

/** What a descriptor may hold: PluginDescriptor, called PluginInfo before 8.0. */
export const properties: ReadonlyArray<Property> = [
  { key: "name", presence: "not-blank" },
  { key: "description", presence: "required" },
  { key: "version", presence: "required" },
  { key: "elasticsearch.version", presence: "not-blank" },
  { key: "java.version", presence: "not-blank" },
  { key: "classname", kind: "classic", presence: "not-blank" },
  { key: "has.native.controller", kind: "classic", since: "5.4.0", isBoolean: true },
  { key: "requires.keystore", kind: "classic", since: "6.0.0", before: "6.3.0", isBoolean: true },
  { key: "extended.plugins", kind: "classic", since: "6.2.0" },
  { key: "type", kind: "classic", since: "7.11.0", before: "8.4.0" },
  { key: "java.opts", kind: "classic", since: "7.11.0", before: "8.4.0" },
  { key: "licensed", kind: "classic", since: "7.11.0", isBoolean: true },
  { key: "modulename", kind: "classic", since: "8.3.0" },
  { key: "deployment.target", kind: "classic", since: "9.3.2" },
  { key: "native.controller.enabled.settings", kind: "classic", since: "9.6.0" },
  { key: "modular", kind: "stable", since: "8.4.0", isBoolean: true }
]

/** The newest Java that any release of a major version has bundled or supports, and so the newest a plugin may ask for. */
const newestJava: ReadonlyMap<number, number> = new Map([
  [5, 8],
  [6, 14],
  [7, 25],
  [8, 26],
  [9, 28]
])

/** Names of modules that Elasticsearch ships: resources/modules.txt of InstallPluginAction. */
const modules: ReadonlyMap<string, string> = new Map([
  ...[
    "analysis-common",
    "ingest-common",
    "lang-expression",
    "lang-mustache",
    "lang-painless",
    "mapper-extras",
    "parent-join",
    "percolator",
    "rank-eval",
    "reindex",
    "repository-url"
  ].map((name) => [name, "6.0.0"] as const),
  ...["x-pack-core", "x-pack-ml", "x-pack-monitoring", "x-pack-security", "x-pack-watcher"].map(
    (name) => [name, "6.3.0"] as const
  ),
  ["transport-netty4", "6.0.0"],
  ["ingest-geoip", "6.7.0"],
  ["ingest-user-agent", "6.7.0"],
  ["repository-azure", "8.0.0"],
  ["repository-gcs", "8.0.0"],
  ["repository-s3", "8.0.0"]
])

export const rules: ReadonlyArray<Rule> = [
  {
    code: "descriptor-incomplete",
    source: "PluginDescriptor.readNonEmptyString, readString",
    broken: ({ descriptor, kind, properties: found }) => {
      const missing = properties
        .filter((property) => (property.kind ?? kind) === kind && lacks(property, found))
        .map(({ key }) => `"${key}"`)
      return missing.length === 0
        ? undefined
        : {
            message: `The descriptor ${quoted(descriptor)} lacks ${missing.join(", ")}.`,
            remedy: "Add what is missing."
          }
    }
  },
  {
    code: "descriptor-placeholder",
    source: "PluginDescriptor",
    broken: (plugin) => placeholder(plugin, ["elasticsearch.version", "java.version", "classname"])
  },
  {
    code: "descriptor-placeholder",
    severity: "warning",
    source: "PluginDescriptor",
    broken: (plugin) => placeholder(plugin, ["name", "version", "description"])
  },
  {
    code: "descriptor-unknown-property",
    since: "6.2.0",
    source: "PluginDescriptor.readFromProperties",
    broken: ({ descriptor, elasticsearch, kind, properties: found }) => {
      const known = properties.filter((property) => holds(property, kind, elasticsearch))
      const unknown = [...found.keys()].filter((key) => known.every((property) => property.key !== key))
      if (unknown.length === 0) return undefined
      const names = unknown.slice(0, 5).map(quoted).join(", ")
      const more = unknown.length > 5 ? ` and ${unknown.length - 5} more` : ""
      const [noun, them] = unknown.length === 1 ? ["a property", "it"] : ["properties", "them"]
      return {
        message: `The descriptor ${quoted(descriptor)} has ${noun} that ${versionName(elasticsearch)} does not know in a ${kind} plugin: ${names}${more}.`,
        remedy: `Remove ${them}.`
      }
    }
  },
  {
    code: "version-not-exact",
    kind: "classic",
    source: "Version.fromString; PluginsUtils.verifyCompatibility",
    broken: (plugin) => inexact(plugin, isFullVersion, "such as 8.17.0")
  },
  {
    code: "version-not-exact",
    kind: "stable",
    source: "PluginsUtils.verifyCompatibility",
    broken: (plugin) => inexact(plugin, isSemanticVersion, "such as 8.17.0, without a suffix")
  },
  {
    code: "invalid-java-version",
    before: "8.2.0",
    source: "JavaVersion.parse",
    broken: (plugin) => javaVersion(plugin, /^\d+(?:\.\d+)*(?:-[a-zA-Z0-9]+)?$/)
  },
  {
    code: "invalid-java-version",
    since: "8.2.0",
    source: "JarHell.checkJavaVersion; java.lang.Runtime.Version",
    broken: (plugin) => javaVersion(plugin, runtimeVersion)
  },
  {
    code: "invalid-java-version",
    source: "JarHell.checkJavaVersion",
    broken: ({ descriptor, elasticsearch, properties: found }) => {
      const version = found.get("java.version") ?? ""
      const newest = elasticsearch === undefined ? undefined : newestJava.get(elasticsearch[0])
      const feature = Number(/^0*(?:1\.(?=[5-8]))?(\d+)/.exec(version)?.[1])
      return newest === undefined || !(feature > newest)
        ? undefined
        : {
            message: `The descriptor ${quoted(descriptor)} asks for Java ${feature}, which is newer than that of any Elasticsearch ${elasticsearch?.[0]}.`,
            remedy: "Compile the plugin for the Java of its Elasticsearch."
          }
    }
  },
  {
    code: "descriptor-invalid-value",
    source: "PluginDescriptor.readBoolean; Booleans.parseBoolean",
    broken: ({ descriptor, elasticsearch, kind, properties: found }) => {
      const wrong = properties.find(
        ({ isBoolean, key, ...range }) =>
          isBoolean === true &&
          holds(range, kind, elasticsearch) &&
          !isBooleanText(found.get(key), elasticsearch)
      )
      return wrong === undefined
        ? undefined
        : {
            message: `The descriptor ${quoted(descriptor)} has ${wrong.key}=${printable(found.get(wrong.key) ?? "")}, which is neither "true" nor "false".`,
            remedy: `Write ${wrong.key}=false, or leave it out.`
          }
    }
  },
  {
    code: "native-controller",
    kind: "classic",
    since: "7.0.0",
    source: "InstallPluginAction.loadPluginInfo",
    broken: ({ properties: found }) =>
      found.get("has.native.controller") === "true"
        ? {
            message:
              "The plugin asks for a native controller (has.native.controller=true), which Elasticsearch grants to its own modules only.",
            remedy: "Remove the property."
          }
        : undefined
  },
  {
    code: "descriptor-invalid-value",
    kind: "classic",
    since: "7.11.0",
    before: "8.4.0",
    source: "PluginInfo.getPluginType",
    broken: ({ descriptor, properties: found }) => {
      const type = found.get("type") ?? ""
      const isBootstrap = /^bootstrap$/i.test(type)
      if (type !== "" && !isBootstrap && !/^isolated$/i.test(type)) {
        return {
          message: `The descriptor ${quoted(descriptor)} has type=${printable(type)}, which is neither "isolated" nor "bootstrap".`,
          remedy: "Remove the property."
        }
      }
      return !isBootstrap && (found.get("java.opts") ?? "") !== ""
        ? {
            message: `The descriptor ${quoted(descriptor)} has java.opts, which only a plugin of the type "bootstrap" may have.`,
            remedy: "Remove the property."
          }
        : undefined
    }
  },
  {
    code: "invalid-plugin-name",
    source: "InstallPluginAction.verifyPluginName, movePlugin",
    broken: ({ properties: found }) => {
      const name = found.get("name") ?? ""
      const isFolderName =
        !/[/\0]/.test(name) && name !== "." && name !== ".." && Buffer.byteLength(name) <= 255
      return isFolderName
        ? undefined
        : {
            message: `The plugin's name ${quoted(name)} is no name of a folder, and Elasticsearch makes a folder of that name.`,
            remedy: "Use letters, digits and hyphens."
          }
    }
  },
  {
    code: "invalid-plugin-name",
    source: "InstallPluginAction.verifyPluginName",
    broken: ({ elasticsearch, properties: found }) => {
      const name = found.get("name") ?? ""
      const since = modules.get(name)
      return since === undefined || elasticsearch === undefined || isBefore(elasticsearch, since)
        ? undefined
        : {
            message: `The plugin's name ${quoted(name)} is that of a module which Elasticsearch ships, so it cannot be installed.`,
            remedy: "Give the plugin a name of its own."
          }
    }
  },
  {
    code: "stable-plugin-unsupported",
    kind: "stable",
    before: "8.0.0",
    source: "PluginDescriptor.readFromProperties",
    broken: ({ descriptor, elasticsearch }) => ({
      message: `The plugin has the stable descriptor ${quoted(descriptor)}, which Elasticsearch ${elasticsearch?.[0]} does not know.`,
      remedy: "Build a classic plugin for it, or a stable one for Elasticsearch 8.4 or later."
    })
  },
  {
    code: "elasticsearch-folder",
    since: "6.3.0",
    source: "InstallPluginAction.unzip",
    broken: ({ contents: { elasticsearchFolder } }) =>
      elasticsearchFolder === undefined
        ? undefined
        : {
            message: `The ZIP holds the folder "elasticsearch/", by which Elasticsearch recognises and refuses plugins made for versions before 6.3.`,
            remedy: "Move its content to the root of the ZIP, or give the folder another name.",
            entry: elasticsearchFolder
          }
  },
  {
    code: "folder-in-config",
    source: "InstallPluginAction.installConfig, installBin",
    broken: ({ contents: { folderInConfig, rootFiles } }) => {
      const file = rootFiles.find((path) => path === "config" || path === "bin")
      if (file !== undefined) {
        return {
          message: `The plugin has a file ${quoted(file)} where Elasticsearch expects a folder.`,
          remedy: "Rename it.",
          entry: file
        }
      }
      return folderInConfig === undefined
        ? undefined
        : {
            message: `The plugin has a folder inside "config" or "bin", which Elasticsearch does not allow: ${quoted(folderInConfig)}.`,
            remedy: "Put the files into the folder itself.",
            entry: folderInConfig
          }
    }
  },
  {
    code: "plugin-without-jar",
    source: "PluginBundle.gatherUrls",
    broken: ({ contents: { jarElsewhere, rootJars, spiJars } }) =>
      rootJars.length === 0 && spiJars.length === 0 && jarElsewhere === undefined
        ? {
            message: "The plugin holds no .jar file.",
            remedy: "Pack the built plugin, not its project."
          }
        : undefined
  },
  {
    code: "jar-not-at-root",
    source: "PluginBundle.gatherUrls",
    broken: ({ contents: { jarElsewhere, rootJars, spiJars } }) => {
      const elsewhere = jarElsewhere ?? (spiJars[0] === undefined ? undefined : `spi/${spiJars[0]}`)
      return rootJars.length > 0 || elsewhere === undefined
        ? undefined
        : {
            message: `The plugin holds .jar files only in folders, such as ${quoted(elsewhere)}; a node loads those at the root.`,
            remedy: "Move the .jar files to the root of the ZIP.",
            entry: elsewhere
          }
    }
  },
  {
    code: "unreadable-jar",
    source: "PluginBundle.gatherUrls; JarHell",
    broken: ({ contents: { resourceFork } }) =>
      resourceFork === undefined
        ? undefined
        : {
            message: `The file ${quoted(resourceFork)} is metadata of macOS, which a node takes for a .jar file and fails to open.`,
            remedy: "Pack without it: COPYFILE_DISABLE=1 tar -a -cf, or zip -X.",
            entry: resourceFork
          }
  },
  {
    code: "jar-hell",
    severity: "warning",
    source: "JarHell.checkJarHell",
    broken: ({ contents: { rootJars } }) => {
      const shipped = rootJars.find((jar) => shippedJar.test(jar))
      return shipped === undefined
        ? undefined
        : {
            message: `The plugin holds ${quoted(shipped)}, whose classes Elasticsearch has itself: it refuses a class that is there twice.`,
            remedy: 'Leave it out of the ZIP ("provided" or "compileOnly").',
            entry: shipped
          }
    }
  },
  {
    code: "jar-hell",
    severity: "warning",
    source: "JarHell.checkJarHell",
    broken: ({ contents: { rootJars, spiJars } }) => {
      const twice = libraryTwice([...rootJars, ...spiJars])
      return twice === undefined
        ? undefined
        : {
            message: `The plugin holds one library twice, ${twice.map(quoted).join(" and ")}: Elasticsearch refuses a class that is there twice.`,
            remedy: "Keep one of them.",
            entry: twice[0]
          }
    }
  },
  {
    code: "plugin-and-bundle",
    severity: "warning",
    source: "InstallPluginAction.installPlugin",
    broken: ({ contents: { topFolders } }) => {
      const folder = bundleFolders.find((name) => topFolders.has(name))
      return folder === undefined
        ? undefined
        : {
            message: `The plugin holds the folder ${quoted(folder)}, which Elasticsearch reads from bundles only: here it is ignored.`,
            remedy: "If it is needed, make a bundle of it.",
            entry: `${folder}/`
          }
    }
  },
  {
    code: "descriptor-nested",
    severity: "warning",
    source: "PluginDescriptor.readFromProperties",
    broken: ({ contents: { nestedDescriptor } }) =>
      nestedDescriptor === undefined
        ? undefined
        : {
            message: `The ZIP holds another descriptor, ${quoted(nestedDescriptor.name)}, which is ignored.`,
            remedy: "Leave it out.",
            entry: nestedDescriptor.name
          }
  },
  {
    code: "source-file",
    severity: "warning",
    source: "PluginBundle.gatherUrls",
    broken: ({ contents: { firstSource } }) =>
      firstSource === undefined
        ? undefined
        : {
            message: `The plugin holds source files, such as ${quoted(firstSource)}.`,
            remedy: "Pack the compiled plugin.",
            entry: firstSource
          }
  }
]

/** The folders that Elastic Cloud documents for bundles. */
export const bundleFolders = ["dictionaries", "scripts", "ingest-geoip", "truststore", "saml"]

/** Whether a rule or a property is about such a plugin. One that names no version is held to what holds for all. */
export const holds = (range: Range, kind: PluginKind, elasticsearch: Version | undefined): boolean => {
  if (range.kind !== undefined && range.kind !== kind) return false
  if (elasticsearch === undefined) return range.since === undefined && range.before === undefined
  return (
    (range.since === undefined || !isBefore(elasticsearch, range.since)) &&
    (range.before === undefined || isBefore(elasticsearch, range.before))
  )
}

/** The numbers of a version, whatever follows them. */
export const versionIn = (text: string): Version | undefined => {
  const [, major, minor, patch] = /^(\d{1,4})\.(\d{1,4})\.(\d{1,4})(?![\d.])/.exec(text.trim()) ?? []
  return major === undefined ? undefined : [Number(major), Number(minor), Number(patch)]
}

/** Whether the numbers of one version come before those of another. */
export const isBefore = (version: Version, other: string | Version): boolean => {
  const limit = typeof other === "string" ? versionIn(other) : other
  if (limit === undefined) return false
  const at = version.findIndex((number, index) => number !== limit[index])
  return at >= 0 && (version[at] ?? 0) < (limit[at] ?? 0)
}

const isSemanticVersion = (version: string): boolean => /^\d{1,9}\.\d{1,9}\.\d{1,9}$/.test(version)

const versionName = (version: Version | undefined): string =>
  version === undefined ? "Elasticsearch" : `Elasticsearch ${version.join(".")}`

const lacks = ({ key, presence }: Property, found: ReadonlyMap<string, string>): boolean => {
  // A plugin of the type "bootstrap", as there were from 7.11 to 8.3, has no class of its own.
  if (key === "classname" && /^bootstrap$/i.test(found.get("type") ?? "")) return false
  const value = found.get(key)
  if (presence === undefined) return false
  return value === undefined || (presence === "not-blank" && isBlank(value))
}

/** Looked for in what a reader can take in: a descriptor may hold a megabyte. */
const isPlaceholder = (value: string | undefined): value is string =>
  value !== undefined && /\$\{[^}]*\}?|^@[\w.-]+@$|\{\{[^}]*\}\}/.test(value.slice(0, 500))

const placeholder = (
  { descriptor, properties: found }: Plugin,
  keys: ReadonlyArray<string>
): Said | undefined => {
  const key = keys.find((each) => isPlaceholder(found.get(each)))
  return key === undefined
    ? undefined
    : {
        message: `The descriptor ${quoted(descriptor)} has ${key}=${printable(found.get(key) ?? "")}: the build did not fill in the placeholder.`,
        remedy: "Let the build filter the descriptor, or write the value itself."
      }
}

/** What is missing or was not filled in is said elsewhere. */
const isGiven = (value: string | undefined): value is string =>
  value !== undefined && !isBlank(value) && !isPlaceholder(value)

const inexact = (
  { descriptor, properties: found }: Plugin,
  isExact: (version: string) => boolean,
  example: string
): Said | undefined => {
  const version = found.get("elasticsearch.version")
  if (!isGiven(version) || isExact(version)) return undefined
  const why = isExact(version.trim())
    ? "begins or ends with a space, and Elasticsearch compares it as it is"
    : `is no full version; a plugin is built for one, ${example}`
  return {
    message: `The descriptor ${quoted(descriptor)} has elasticsearch.version ${quoted(version)}, which ${why}.`,
    remedy: "Correct it."
  }
}

/** What `Runtime.Version.parse` takes: numbers of which the last is not 0, then a pre-release, a build, and more. */
const runtimeVersion =
  /^[1-9]\d*(?:(?:\.0)*\.[1-9]\d*)*(?:-[a-zA-Z0-9]+)?(?:\+(?:0|[1-9]\d*)(?:-[-a-zA-Z0-9.]+)?|\+-[-a-zA-Z0-9.]+|(?<=-[a-zA-Z0-9]+)-[-a-zA-Z0-9.]+)?$/

const javaVersion = ({ descriptor, properties: found }: Plugin, format: RegExp): Said | undefined => {
  const version = found.get("java.version")
  return !isGiven(version) || (version.length <= 100 && format.test(version) && !/\d{10}/.test(version))
    ? undefined
    : {
        message: `The descriptor ${quoted(descriptor)} has java.version ${quoted(version)}, which Elasticsearch cannot read as a version of Java.`,
        remedy: "Write the release alone, such as 17."
      }
}

/** Before 7.11, an empty value was none. */
const isBooleanText = (value: string | undefined, elasticsearch: Version | undefined): boolean => {
  if (value === undefined || value === "true" || value === "false") return true
  return isBlank(value) && elasticsearch !== undefined && !isBefore(elasticsearch, "7.11.0")
}

/** Jars in the lib folder of Elasticsearch, which every plugin shares. */
const shippedJar =
  /^(?:elasticsearch(?:-(?:core|cli|geo|x-content|lz4|secure-sm|plugin-api|plugin-analysis-api|plugin-classloader|launchers|logging|native|simdvec|tdigest|entitlement|grok|log4j))?|lucene-(?:core|analysis-common|analyzers-common|backward-codecs|facet|grouping|highlighter|join|memory|misc|queries|queryparser|sandbox|spatial|spatial-extras|spatial3d|suggest)|log4j-(?:api|core)|jna|HdrHistogram|hppc|jopt-simple|jts-core|spatial4j|t-digest)-\d[^/]*\.jar$/

/** Two jars of one library, told by their names without the version. */
const libraryTwice = (jars: ReadonlyArray<string>): readonly [string, string] | undefined => {
  const seen = new Map<string, string>()
  for (const jar of jars) {
    const [, library] = /^(.+?)[-_.]v?\d[^/]*\.jar$/.exec(jar) ?? []
    if (library === undefined) continue
    const other = seen.get(library)
    if (other !== undefined) return [other, jar]
    seen.set(library, jar)
  }
  return undefined
}
