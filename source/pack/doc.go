// Package pack reads, checks and writes git packfiles: the part of a mirror that holds its objects.
//
// It exists beside go-git's own storage for three reasons, each measured or tried. Laying a snapshot out is mostly
// reading thousands of objects, and a reader that maps the pack and keeps its inflater is several times faster
// than one that opens a file for each. What comes in over the network is hostile: here it lands in a file beside
// the mirror, is inflated and hashed under limits, and joins the mirror by a rename or not at all. And a pack made
// by a laptop is thin, so its missing bases must be appended before it can stand alone.
//
// # Ingest
//
//  1. The stream is copied to a temporary file while its entries are parsed; whole objects are hashed as they pass.
//  2. Deltas are resolved against the file, in parallel, depth first from each base, holding in memory only bases
//     that still have deltas waiting.
//  3. Bases that a thin pack leaves out are looked up in the mirror and appended, and the header and the checksum
//     are written anew.
//  4. The index is written. The caller may look into the staged pack, then publishes or discards it.
//
// All sizes are bytes. Nothing here panics or allocates by a length that the input merely claims: a claimed size
// is held against what deflate could at best make of the bytes that follow it.
package pack
