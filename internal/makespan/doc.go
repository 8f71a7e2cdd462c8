// Command makespan measures what the reading and splitting of tests come to, for make bench. First how fast a JUnit file of
// 100 MB is parsed, beside reading the file and doing nothing ("theirs"), and in how much memory. Then how evenly the test
// queue divides a synthetic suite, in simulated time through the real queue code: "ours" is the makespan in seconds,
// "theirs" the lower bound max(longest, total/workers) of the same suite. The figure without a suffix is the seed with the
// median ratio, "-p95" the one with the 95th percentile (nearest rank). Names of figures as arguments leave out the others.
//
// # The model
//
// 400 files, log-normal durations with a median of 1 s and σ = 1.0, independent of their names; seeds 1 to 20; 8 shards.
// Each batch costs 0.3 s to start. Each shard is ready at a moment uniform in the first second. Neither is in the bound,
// which knows of durations alone: a perfect division would show a ratio above 1, too. Recorded durations are off by a
// factor uniform in 0.8 to 1.2. A shard reports a batch's time, not its files'. "Cold" knows nothing: no durations, no
// start-up, nothing of the distribution beyond the queue's built-in assumption that unknown durations vary a lot.
//
// "Kill" ends one of the eight, without a word, halfway through the bound, in the middle of its batch; the daemon sees
// it a second later. The bound is recomputed: the seven left must do all that the dead one did not finish, and the
// longest file of its batch can begin again only after its death.
//
// "pull" is no strategy of ours but a reference: files one at a time in random order with no start-up and no skew, which
// is the best to be expected of anything that knows nothing and never interrupts a file: a long file that happens to come
// last is seen only when it runs. Its 95th percentile is beyond 1.10 by itself, so that goal is out of a cold queue's reach.
// Over seeds 1001 to 1400 its median and 95th percentile are 1.05 and 1.20, and those of the cold queue, which pays for
// 0.3 s a batch and a second of skew, 1.09 and 1.21. Other batch sizes do not help: with an assumed variation of 0.8 or 2
// instead of 1.3, and whatever a batch is worth at least, the latter stay between 1.21 and 1.24.
package main
