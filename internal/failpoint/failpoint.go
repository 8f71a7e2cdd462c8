// Package failpoint marks the places between two durable steps, at which a daemon can be made to die. A binary that is
// built with the tag failpoints ends itself as kill -9 would when it passes the place that RUNNER_FAILPOINT names, as
// "4/job-sent", or as "4/job-sent:3" for the third time. In any other binary Pass is an empty function, which costs
// nothing. Points lists the places; they are numbered like "The order of effects" in ARCHITECTURE.md.
package failpoint

// Point is a place between two durable steps.
type Point struct {
	Name  string // as Pass has it
	After string // what has just happened
}

// Points are all places, in the order in which a build comes by them.
var Points = []Point{
	{"1/trigger-accepted", "a trigger, perhaps with its builds, is committed; nobody was answered"},
	{"1/group-committed", "a transaction that several writers shared is committed; none of them knows"},
	{"1/refs-known", "the refs that a first look at a remote showed are committed; that it was looked at is not"},
	{"2/git-asked", "git has said what a trigger changes; whether it makes builds is not committed"},
	{"2/builds-numbered", "the planner has committed a trigger's builds; none is planned"},
	{"2/commit-fetched", "the commit is in the mirror; the buildspec was not read"},
	{"2/plan-made", "buildspec, images and snapshot are there; the plan is not committed"},
	{"2/results-shared", "a push has what earlier results of its tree left, under ids of its own; its plan is not committed"},
	{"2/plan-committed", "plan and jobs are committed, perhaps with the first lease; nothing follows it yet"},
	{"2/again-committed", "that a build whose planning met a fault is planned again is committed; nobody waits for that yet"},
	{"3/warm-row-committed", "the row of a sandbox that is to wait is committed; the sandbox is not made"},
	{"3/warm-made", "a sandbox that waits is made; nobody knows that it is ready"},
	{"3/lease-committed", "attempt and sandbox row are committed; nothing is asked of the engine"},
	{"4/directory-made", "the sandbox's directory and .git are laid out; the engine has nothing"},
	{"4/network-made", "the network of a job with services is made; no service is"},
	{"4/services-ready", "the services of a job are ready; its own container is not started"},
	{"4/container-made", "the container is made; it is not started"},
	{"4/container-started", "the container is started; its workspace is not mounted"},
	{"4/cable-laid", "both ends of a sandbox's cable are made; it hangs on no bridge, and there is no route"},
	{"4/sandbox-made", "the sandbox is whole; nobody was attached to it"},
	{"4/warm-filled", "a sandbox that waited has its workspace; its job was not sent"},
	{"4/sent-committed", "that the job may be out is committed; it is not sent"},
	{"4/job-sent", "the job was written to the agent; nothing was heard of it"},
	{"5/progress-committed", "the phases of some frames are committed; the output that came with them is not"},
	{"5/output-committed", "output and the number of its last frame are committed; nobody goes on from there"},
	{"5/cache-held", "the layers of a cache are kept for the sandbox; they are not mounted"},
	{"5/request-answered", "a question of the agent is answered here; the answer is not sent"},
	{"5/tests-committed", "what happened to the queue of tests is committed; the shard does not know"},
	{"5/entered-committed", "that somebody goes into a job that runs is committed; nobody is in it"},
	{"6/done-read", "the agent's last word is read; nothing that the job left is taken in"},
	{"6/layer-planned", "how a layer of a cache will be made is committed; nothing is renamed"},
	{"6/layer-moved", "directories were renamed into the layer; the cache is not committed"},
	{"6/cache-written", "the file of a packed cache is written; its cache is not committed"},
	{"6/cache-stored", "the cache is committed; the job's result is not"},
	{"6/files-written", "the content of artifacts or reports is committed; the set is not visible"},
	{"6/files-stored", "a set of artifacts or reports is visible; the result does not name it"},
	{"6/image-exported", "the tar of an image has its name; nothing of it is pushed"},
	{"6/image-pushed", "a registry has an image with its tags; the record does not say so"},
	{"6/image-recorded", "an image is in the record of those that are done; the result does not name it"},
	{"6/log-sealed", "the log is sealed with its last line; the result is not committed"},
	{"6/result-committed", "the result and what follows from it are committed; the sandbox is there"},
	{"6/kept-closed", "what ran in a sandbox that is kept has ended; it is not measured"},
	{"6/kept-opened", "the container of a kept sandbox runs again; nobody is in it"},
	{"6/kept-leaves", "a kept sandbox is about to be removed"},
	{"6/container-removed", "the engine has nothing of the sandbox any more; its directory is there"},
	{"6/directory-removed", "the sandbox's directory is gone; its row is there"},
	{"6/row-removed", "the sandbox's row is gone"},
	{"6/reports-read", "the tests of an attempt are in their history; that they are is not noted"},
	{"6/status-set", "a forge was told a status; that it was is not noted"},
	{"6/item-sent", "an item of the outbox was sent, or refused; it still waits"},
	{"6/trace-exported", "a part of a trace has gone to the collector; it is still due"},
	{"7/start-counted", "the start is counted in the state; nothing was taken up"},
	{"7/rows-read", "the picture of what waits and runs is made from the rows; nothing was adopted"},
	{"7/adopting", "an attempt of a former daemon is about to be taken up"},
	{"7/leftover-found", "a sandbox that nobody needs is about to be removed"},
	{"7/let-go", "an upgrade has let go of the running builds and closed the databases; the new binary does not run"},
	{"7/backup-copied", "the databases are copied for a backup; no file of it is written"},
}
