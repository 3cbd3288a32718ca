/**
 * The version of this library.
 *
 * @since 0.1.0
 */

/**
 * By which the library names itself to servers and to people; the same as in package.json, which not every runtime can
 * import.
 *
 * @since 0.1.0
 * @category constants
 */
export const packageVersion = "0.1.0"
