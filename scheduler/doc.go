// Package scheduler decides which job runs when. It owns state.db: projects, triggers, builds, jobs, attempts and
// sandboxes are rows there, every transition is one transaction, and a lease is a state of a row, never its
// deletion, so that a restart knows what runs and a late answer from a lost holder is refused.
//
// A trigger goes through these steps; each ends in a commit, and a daemon that died between two of them takes the
// work up at the last one:
//
//  1. Accept stores the trigger (this is what a webhook's 202 waits for), with its numbered builds where it is clear that
//     it makes some.
//  2. Of any other the planner records what becomes of it: it is skipped, by a filter for one, or is a pull request that waits
//     for approval, or makes its builds. Where filters judge by what git says, git is asked first. Approve makes a trigger
//     that waits pending again.
//  3. For each build: fetch, read the buildspec, expand it to a plan, end the jobs that cannot run here, ask whether
//     the build may have its secrets, resolve images; then the plan and its queued and blocked jobs are one commit.
//  4. The dispatcher leases a queued job when a slot is free: attempt and sandbox rows are committed, then secrets are
//     opened and the attempt runs in package runner. Where nobody waits, the first job is leased by the commit of step 3.
//  5. Its result is committed together with what follows from it: another attempt, or the job's end with dependents,
//     siblings and the build's own result.
//  6. The sandbox is destroyed and its row removed; a reaper compares rows and engines for what was missed.
//
// Sandboxes may wait for jobs: the warm loop commits a row for each, makes it, and removes what is not wanted any more. A
// lease that finds one takes its row over, and says by the same commit that the job may be out. A daemon that dies at any
// of these steps leaves a row by which the next one finds the sandbox: it is given to a job, or waits on, or is removed.
package scheduler
