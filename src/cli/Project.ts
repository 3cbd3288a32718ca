/**
 * The names of the program, and where its project is. The manifests of both packages say the same.
 *
 * @since 0.1.0
 */

/**
 * The name under which the command is installed, and that of its package.
 *
 * @since 0.1.0
 * @category constants
 */
export const commandName = "elastic-extensions"

/**
 * A short name for hands that type it often.
 *
 * @since 0.1.0
 * @category constants
 */
export const shortName = "elext"

/**
 * The repository, a page that people can open.
 *
 * @since 0.1.0
 * @category constants
 */
export const repository = "https://github.com/effect-elastic-extensions/effect-elastic-extensions"

/**
 * Where problems are reported.
 *
 * @since 0.1.0
 * @category constants
 */
export const issues = `${repository}/issues`

/**
 * The documentation. The address ends with a slash; the name of a page follows it, as in `cli`.
 *
 * @since 0.1.0
 * @category constants
 */
export const documentation = "https://effect-elastic-extensions.github.io/effect-elastic-extensions/"
