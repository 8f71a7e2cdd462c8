// Package artifacts keeps what builds leave, bytes in and bytes out, in bbolt files: logs, and the sets of files
// that jobs produce; and, in plain files and directories beside them, caches. It knows nothing of builds and projects; its
// callers name things by ids of their own.
//
// # Logs
//
// A log is an append-only stream of bytes with a cursor, the last wire frame it contains, so that an append that is
// repeated after a crash is done once. An append is durable when it returns; appends that arrive while another
// transaction commits share the next one. Small appends are kept as pieces, and folded into one compressed block as
// soon as they add up to 64 KiB, so that a million tiny appends do not stay a million keys. Appends of more than 256 KiB
// come in a flood, and are compressed with S2: measured on lines of test output, at 1,170 to 1,320 MB/s where zstd comes to
// 230 to 390, to 1/1.9 to 1/5.7 where zstd comes to 1/3.9 to 1/7.5.
//
// A log has marks, each an offset with how many lines lie before it and the time: a line is found by reading what lies
// between two of them.
//
// # Sets
//
// A set is the files of one job, taken from a tar that came out of a hostile sandbox. Content is cut in chunks of
// 1 MiB, named by their SHA-256, compressed with zstd where that helps, and stored once. Chunks have a fixed size:
// artifacts are mostly whole files that return byte for byte, which a fixed cut finds just as well, or archives and
// compressed layers, in which one changed byte changes all that follows and a content-defined cut finds nothing
// either; the rolling hash would cost a core. Files below 64 KiB travel together in a chunk whose end is chosen by
// the files' own hashes, so that a set of ten thousand small files is a few hundred keys and still deduplicates.
//
// A set is written under a new generation and becomes visible, whole, in the one transaction that names it. What it
// replaces, what is removed, and what a crash left half written is garbage, and Collect frees it.
//
// # Caches
//
// A cache of whole directories is a stack of layers: directories that sandboxes have mounted below what they write, and
// that are made by renaming what a sandbox wrote, so that neither costs more for a larger cache. Any other is a tar that a
// sandbox packed and another one unpacks, and is stored as it is, as one file: it is read as a whole, soon or never, and a
// copy within the kernel is the fastest way to hand it out. A cache's name is a scope, a digest of paths and a key. With
// a key the first stays; without, the last. What jobs took that had one, and what those took that had none, says what it
// is worth: those go first that save the least time for each byte.
//
// # Layout
//
// Every number is a big-endian uint64.
//
//	meta       version, totals
//	gens       generation → kind, state (writing, visible, doomed), id
//	sets       id → header with the generation
//	manifests  generation → files: path → record; uses: chunk → nothing
//	chunks     chunk → hash, group or place in a segment, sizes, CRC, codec, number of generations that use it
//	hashes     SHA-256 → chunk
//	data       group → chunk → bytes
//	segments   segment → number of chunks that lie in <file>.segments/<segment>.db
//	logs       id → header with the generation
//	blocks     generation → offset → block
//	marks      generation → line ends before an offset, offset → when what follows was appended
//	age        time created, kind, id
//	caches     id → row of a cache: its layers, or else its bytes are <CacheDir>/<id>.tar
//	cachenames scope, paths, key → when it was made, in numbers that grow; id
//	doomedcaches  id of a file that may lie there and is no cache: being written, or to be removed
//	layers     id → row of a layer, whose content is <CacheDir>/<id>/
//	layerrefs  layer, who refers to it (a cache, a sandbox, or the making of it)
//	layerholds sandbox → what it has of a cache of layers
//	earnings   scope, digest of paths, job → what its last runs with and without the cache took
//
// Chunks of one transaction lie in a bucket of their own, their group. bbolt keeps at least two values in a leaf and
// rewrites a leaf as a whole, so chunks under random keys, or at the growing end of one bucket, would be written
// about twice; a group is written once.
//
// # Segments
//
// The new chunks of a set of more than a few MiB lie in bbolt files of their own, segments of about 256 MiB. Such a file
// is written by one put, in groups of 8 MiB and without waiting for the disk, synced once, and never written again; only
// then its chunks come into the index. What that is worth, measured with 256 MiB on two cores: bbolt, writing the same
// bytes in transactions of 8 MiB that are synced, took 2.9 times as long as a plain file with one sync, of 32 MiB 1.9
// times, and 1.4 to 1.6 times without syncs but the last, which is what no set can go below; and no log waits. A segment
// goes when nothing in it is used; until then the parts that are not used are holes.
//
// # Transactions
//
// All writes to the store's own file go through one goroutine with two lanes. Small writes (log appends, publishing,
// removals) share a transaction and go first; bulk writes (a group of chunks, a part of the index of a segment, a step of
// the collector) go one at a time between them.
// So an append waits for at most one bulk transaction, however many puts run. Measured on two cores and a virtual
// disk, 256 MiB in groups of 4, 8 and 32 MiB: 380, 350 and 500 ms, with the longest transaction 12, 43 and 136 ms.
// A group therefore ends at 8 MiB, and at less where the disk is slow: the size follows what a transaction takes,
// aiming at 60 ms.
//
// No read transaction outlives one chunk: a reader pins its generation in memory, copies a chunk out, ends the
// transaction, and only then writes to its client. Collect passes over what is pinned. Large values are read from the
// file at the place where bbolt's map shows them: through the map, which is for random access, every page is a fault
// and, when it is not in memory, a read of its own (64 MiB cold: 5.1 s through the map, 0.1 s so).
//
// The file has pages of 32 KiB. bbolt's bookkeeping in memory grows with the number of free and, when it opens, used
// pages; an append costs the same as with 4 KiB. The freelist is not stored (it would be written with every append,
// megabytes of it after a large set was collected), but found again when the file is opened.
package artifacts
