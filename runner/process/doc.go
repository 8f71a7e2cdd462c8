// Package process is the executor that runs jobs as processes of this host. It gives a job a directory of its
// own and takes its processes away afterwards, and that is all: the job sees the host's files and its network,
// with the daemon's rights. It is for machines whose jobs are all trusted, and must be asked for.
//
// A sandbox is a directory <root>/<id>:
//
//	src/          the workspace: the snapshot with upper/ over it (an overlay mount, or a copy where that fails)
//	upper/ spool/ objects/    made by the caller
//	work/         the overlay's own
//	home/ tmp/ agent/         HOME and TMPDIR of the job, files of the agent
//	in out        FIFOs to and from the agent
//	agent.log     what the agent itself has to complain about
//	process.json  which process the agent is
//
// The agent is started in a session of its own and outlives the daemon. A later daemon finds it by its pid
// together with its start time and the boot, so that it never takes another process for it.
//
// All of that is Linux. Elsewhere the package compiles, so that one command serves daemons and laptops, and refuses.
package process

// Options of an executor.
type Options struct {
	Engine    string   // the configured id of this engine
	Instance  string   // the daemon's instance id: only sandboxes that bear it are listed
	Root      string   // absolute; the directory of all sandboxes, <data>/sandboxes
	AgentPath string   // absolute; the agent's binary
	AgentArgs []string // what stands before the agent's flags: "agent" where AgentPath is runner itself
}
