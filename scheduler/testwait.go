package scheduler

import (
	"context"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// A shard that has nothing to do while tests run elsewhere is answered when that changes, or after testHold at the
// latest, so that a hundred that wait cost little and still end with the last test. Then it asks again, after testPause.
// Where it must not be held, it asks again after testWait.
const (
	testHold  = 2 * time.Second
	testPause = time.Millisecond // the agent's shortest
	testWait  = 300 * time.Millisecond
)

// Take implements runner.TestQueue.
func (a *attemptTests) Take(ctx context.Context, call wire.TestCall, request uint64) (wire.TestsAnswer, error) {
	hold := time.NewTimer(a.s.tests.hold)
	defer hold.Stop()
	for {
		answer, news, err := a.take(call, request)
		if err != nil || answer.WaitMillis == 0 || news == nil || a.s.tests.hold == 0 {
			return answer, err
		}
		answer.WaitMillis = testPause.Milliseconds()
		select {
		case <-news:
		case <-hold.C:
			return answer, nil
		case <-ctx.Done():
			return answer, nil
		}
	}
}

// take is one look at what there is for the attempt. When it is to wait, news is closed once something has changed, or
// nil when it must not be held.
func (a *attemptTests) take(call wire.TestCall, request uint64) (answer wire.TestsAnswer, news <-chan struct{}, err error) {
	answer, err = a.with(func(b *testBook) (wire.TestsAnswer, error) {
		c := a.find(b, call)
		if c == nil {
			return refuse(errNotJoined), nil
		}
		if c.shares != nil {
			return c.shares.take(a.worker, a.shard), nil
		}
		offer, err := c.queue.Take(a.worker, request, time.Now())
		if err != nil {
			return refuse(err), a.s.storeCall(b, c, nil)
		}
		answer := wire.TestsAnswer{Why: offer.Why}
		switch {
		case offer.Batch != nil:
			answer.Token, answer.Items = offer.Batch.Token, c.numbers(offer.Batch.Items)
			answer.Each, answer.Round = c.head.Retry != nil, c.round(offer.Batch)
		case offer.Done:
			answer.Over, answer.Fails = true, c.shardFailed(a.shard)
			answer.Why = c.tried()
		default:
			answer.WaitMillis = testWait.Milliseconds()
		}
		err = a.s.storeCall(b, c, nil)
		if !a.callsBeside(b, c) {
			news = b.news
		}
		return answer, err
	})
	return answer, news, err
}

// callsBeside tells whether the jobs of a call have another one that has not ended. An agent asks one thing at a time, so
// that an answer which is held back holds up other calls that run beside it.
func (a *attemptTests) callsBeside(b *testBook, c *testCall) bool {
	for _, other := range b.calls {
		if other != c && other.head.Job == c.head.Job && other.queue != nil && !other.queue.Ended() {
			return true
		}
	}
	return false
}
