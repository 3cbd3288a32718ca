/** What a version of Elasticsearch is: the one thing that an archive and the API both have to know. */

/** A full version: `8.17.0`, `9.0.0-beta1`, `8.18.0-SNAPSHOT`. */
export const isFullVersion = (text: string): boolean =>
  /^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(-(alpha|beta|rc)\d+)?(-SNAPSHOT)?$/.test(text)
