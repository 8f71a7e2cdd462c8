// Package source turns git repositories into what a job mounts: a read-only tree of one commit, and a .git to lay
// over it. It speaks git's protocols with go-git and needs no git binary.
//
// # From URL to workspace
//
//  1. Fetch brings a mirror up to date: one full, bare, ordinary git repository for each URL, with all branches and
//     tags, and whatever else was asked for. A commit that the mirror has costs no network.
//  2. ReadFile reads one file at a commit, such as the buildspec.
//  3. Snapshot lays a commit's tree out, once, however many jobs use it: attributes honoured, modification times
//     those of the commit, nothing outside of the directory ever written or followed. Files that are the same in an
//     earlier snapshot are shared with it, and keep its times.
//  4. GitDir writes a .git that fits the snapshot, with the mirror's packs hard-linked beside the job, so that
//     nothing done to the mirror can hurt a job that runs.
//
// A laptop's work takes the same path from step 2 on: Known and Receive put its objects into the mirror.
//
// # Who is trusted
//
// What comes from a remote or a laptop is hostile. Everything that parses objects runs in a child process (see
// [WorkerMain]) whose memory and time are limited and whose death, at any instant, leaves the mirror usable:
// packs are staged, verified and renamed into place before any ref names them, and all refs are one file,
// replaced by a rename. Credentials reach the child on its standard input, and rest nowhere.
//
// # On disk, below Options.Dir
//
//	mirrors/NAME-HASH/          a bare repository; its packed-refs are all its refs
//	mirrors/NAME-HASH.lock      held exclusively by whoever changes the mirror
//	mirrors/NAME-HASH.use       held shared by whoever reads packs, exclusively to delete some
//	snapshots/COMMIT-HASH/      tree/, index, manifest, meta.json
//	snapshots/COMMIT-HASH.lock  held shared by whoever uses the snapshot; its time is that of the last use
//	spares/HASH/                a copy of a snapshot, made of links: what the next one is made of
//	tmp/                        what is not finished; removed after a day
package source
