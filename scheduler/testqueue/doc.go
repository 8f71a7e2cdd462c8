// Package testqueue decides which worker runs which tests next, whatever dies meanwhile. It is pure: no I/O, no clock,
// no goroutines; an owner stores the events that its methods leave, one transaction a transition, and passes the time.
//
// There are two ways to divide a suite over shards. Split is fixed: from durations that are frozen when the plan is made
// every shard computes the same division, so shards need not talk. A Queue is dynamic: shards, its workers, ask for the
// next batch until nothing is left.
//
//	q, err := testqueue.Open(options, now)             // or with the events of its row
//	err = q.Join("api#142/BuildFanoutShard3@1", 3, list, now)
//	offer, err := q.Take(worker, request, now)         // a batch, wait, or done
//	receipt, err := q.Complete(worker, offer.Batch.Token, completion, now)
//	store(q.Events(stored))                            // in the same transaction, before the answer is sent
//
// An owner whose transaction fails drops the queue and opens it again from what is stored. Heartbeats are no events:
// after Open every worker counts as just heard of.
//
// # How batches are made
//
// Longest first, by recorded durations (Graham 1969); a batch is a part of the work that waits which shrinks towards the
// end: the size is that of factoring (Hummel, Schonberg, Flynn, "Factoring: a method for scheduling parallel loops",
// CACM 35(8), 1992), recomputed at every request as in guided self-scheduling (Polychronopoulos, Kuck, IEEE Trans.
// Computers C-36(12), 1987). How much durations vary, and what the start of a batch costs, is learned from the batches
// that were answered: the start-up directly where tests report their own durations, else by a least-squares line of
// batch time over expected work. A suite without history begins with probes of one or two items.
//
// A test that runs is never started a second time to be faster (as MapReduce's backup tasks are): tests have effects.
//
// # Invariants
//
// Check proves the first six; a simulation with deaths, late answers, duplicates and restarts checks them after every
// event, and proves the last two.
//
//  1. The items are the first list, each name once, and never change.
//  2. Each item is in one place: it waits, or one open batch holds it, or it has ended.
//  3. Tokens only grow. A worker has at most one open batch, and only a live worker has one.
//  4. Each item ends once, with one outcome, and stays ended. The first acknowledgement counts; a later one does not.
//     Every further count of an item is a retry of a failure.
//  5. Retries are counted as granted, and none goes beyond the budget. Of an item of which only the tests that failed
//     are tried again each of these counts.
//  6. What waits is in order: what was handed out before, then the longest.
//  7. Reading the stored events gives the same queue.
//  8. As long as a live worker asks, the queue comes to its end.
//
// A lost worker's items go in front. An item whose worker was lost twice goes alone, so that it takes no others with it,
// and after Options.MaxLosses ends as Lost, which counts as a failure.
//
// # What others do
//
// Shopify's ci-queue (MIT, Ruby and Python) keeps single tests in Redis, shuffled by a seed; a worker reserves one test
// at a time, and one that is not acknowledged within a time-out is reserved by another worker. The first acknowledgement
// of a test wins there, too. It requeues failures under a limit for each test and one for the suite, as Retry does here.
// It needs a Redis server that all workers reach, and orders nothing by duration. Knapsack Pro's queue mode is a hosted
// service: each node asks its API for the next files until none are left, and sends their durations for later runs; with
// its fixed queue split a node that is run again for the same commit gets the files that it had, as Replay does here.
package testqueue
