// Package attributes tells how git would write a file's bytes into a working tree: it reads .gitattributes and
// applies what of them matters on Linux with core.autocrlf=false and no filter configured.
//
// Attributes "text", "crlf", "eol", "ident" and "working-tree-encoding" are honoured as git 2.39 does, with macros,
// quoted patterns and the rules of precedence: a deeper directory's file before its parent's, a later line before
// an earlier one. "filter" is only reported. What cannot be done (an encoding that is not known here) is an error;
// nothing is written wrongly in silence.
//
// Attribute files are hostile input. Lines above 2,048 bytes are skipped as git skips them, and matching one path
// against one pattern takes a bounded number of steps.
package attributes
