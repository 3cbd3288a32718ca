/** What a bundle has in place of a package that it never uses. */
export {}
