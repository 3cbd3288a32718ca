/** So many ids fit into a sentence. */
const shown = 10

/** The deployments that use an extension, at least one, as part of a sentence. @internal */
export const listed = (deployments: ReadonlyArray<string>): string => {
  const names = deployments.slice(0, shown).join(", ")
  const more = deployments.length - shown
  const noun = deployments.length === 1 ? "deployment" : `${deployments.length} deployments:`
  return `${noun} ${names}${more > 0 ? ` and ${more} more` : ""}`
}
