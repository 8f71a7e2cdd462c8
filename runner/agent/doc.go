// Package agent is the process inside the sandbox. It takes one job on its standard input, runs the job's phases
// in one shell, keeps a record of all that happens in the spool, and ends.
//
// # Command line
//
//	agent [-spool DIR] [-home DIR] [-in FIFO -out FIFO]
//
// -spool is the directory of the record (default /codebuild/spool); -home is where the agent may put its tools
// and small files (default /codebuild, or a temporary directory where that cannot be written). Lines of package
// wire are read from standard input and written to standard output, or from and to the two FIFOs. The first
// word of the command line may also be the name of a tool (codebuild-tests-run, codebuild-glob-search,
// codebuild-hash-files, codebuild-breakpoint, codebuild-resume): the agent puts links by those names on the job's PATH.
//
// # Life
//
//  1. Become the reaper of all orphans: as PID 1 by birth, elsewhere as a child subreaper.
//  2. Open the spool. If it tells of a job that was cut off, say so as the result; if it tells of one that
//     ended, only send it again.
//  3. Answer hellos at any time, and take one job.
//  4. Start the image's Docker engine for a privileged job that has none, restore the cache, run the phases, each as
//     its user, and pack what the job leaves into the spool: exported variables, cache, reports, artifacts.
//     Each fact is appended to the spool first; a goroutine of its own carries the spool to whoever is attached, so
//     that nobody who reads, or does not, can slow the job down.
//  5. Append done, sync the spool, give an attached reader a moment to take the rest, exit with status 0.
//
// A daemon that lets people into the sandbox of a job which has ended puts the file "hold" (wire.HoldFile) beside the
// record and has the sandbox started again. Instead of step 2 the agent then puts its tools in their place, says so in the file "held", and stays until it is
// told to end, as the reaper of whatever is started in there. "agent end-shell MARK" ends the processes that have MARK in
// their environment (wire.ShellMark).
//
// # Exit status
//
// 0 after a done frame, whatever it says; 1 when there was no job to run or the record could not be kept;
// 2 for a wrong command line.
//
// The package imports the standard library only, and little of it: it runs in every sandbox, and starting it
// must cost nothing that can be noticed.
package agent
