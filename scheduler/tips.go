package scheduler

import (
	"bytes"
	"encoding/binary"
	"slices"

	"go.etcd.io/bbolt"
)

// tipRow is what is known of one branch or tag of a project whose remote is looked at: the commits for which triggers were
// accepted since a look last showed the ref, the newest last. A look that shows one of them tells nothing new, in
// whatever order webhooks came.
type tipRow struct {
	Commits []string `json:"commits"`
	Seq     uint64   `json:"seq"` // of the newest trigger that changed it; a look that began before it knows less
	// Polled is the trigger that a look made of PolledCommit, until the webhook for the same comes or the ref goes on.
	Polled       uint64 `json:"polled,omitempty"`
	PolledCommit string `json:"polledCommit,omitempty"`
}

// maxTipCommits bounds the commits of a row: so many pushes to one branch between two looks.
const maxTipCommits = 16

// lookedRow tells that a project's remote was looked at, so that what a look shows is new against it.
type lookedRow struct {
	URL string `json:"url"`
}

func tipKey(project, ref string) []byte { return []byte(project + "\x00" + ref) }

// add takes in the commit of a trigger.
func (r *tipRow) add(commit string, seq uint64) {
	r.Commits = slices.DeleteFunc(r.Commits, func(c string) bool { return c == commit })
	r.Commits = append(r.Commits, commit)
	if over := len(r.Commits) - maxTipCommits; over > 0 {
		r.Commits = r.Commits[over:]
	}
	r.Seq = max(r.Seq, seq)
}

// movesTips tells whether a trigger is about a branch or tag of a remote.
func (t *Trigger) movesTips() bool {
	return (t.Kind == KindPush || t.Kind == KindTag) && t.Ref != ""
}

// saidBefore takes those projects out of a webhook's trigger for which a look at the remote has made a trigger of the same
// ref and commit already. Where none is left, it returns that trigger. A look does not see who pushed: a project that asks for that,
// and skipped what the look saw, is told by the webhook.
func saidBefore(tx *bbolt.Tx, t *Trigger, asksWho func(project string) bool) (before *Trigger, err error) {
	if !t.movesTips() || t.Commit == "" || t.polled() {
		return nil, nil
	}
	left := slices.Clone(t.Projects)
	for _, name := range t.Projects {
		row, err := get[tipRow](tx, bucketTips, tipKey(name, t.Ref))
		if err != nil || row.Polled == 0 || row.PolledCommit != t.Commit {
			if err = unlessGone(err); err != nil {
				return nil, err
			}
			continue
		}
		polled, err := get[Trigger](tx, bucketTriggers, number(row.Polled))
		if err = unlessGone(err); err != nil {
			return nil, err
		}
		row.Polled, row.PolledCommit = 0, ""
		if err := put(tx, bucketTips, tipKey(name, t.Ref), row); err != nil {
			return nil, err
		}
		if polled == nil || polled.skips(name) && asksWho(name) { // retention took it, so that this is the first that is known
			continue
		}
		before = polled
		left = slices.DeleteFunc(left, func(p string) bool { return p == name })
	}
	t.Projects = left
	if len(left) > 0 || before == nil {
		return nil, nil
	}
	seq, err := triggerSeq(before.ID)
	if err != nil {
		return nil, err
	}
	return before, alsoDelivered(tx, t.Delivery, seq)
}

// skips tells whether a trigger was judged, and builds nothing of a project.
func (t *Trigger) skips(project string) bool {
	return slices.ContainsFunc(t.Skipped, func(x Skipped) bool { return x.Project == project })
}

// alsoDelivered notes that a delivery told the same as a trigger that is there.
func alsoDelivered(tx *bbolt.Tx, delivery string, seq uint64) error {
	if err := tx.Bucket(bucketDeliveries).Put([]byte(delivery), number(seq)); err != nil {
		return err
	}
	return tx.Bucket(bucketSame).Put(append(number(seq), delivery...), nil)
}

// forgetSame drops the deliveries that told the same as a trigger.
func forgetSame(tx *bbolt.Tx, seq uint64) error {
	var keys [][]byte
	prefix, c := number(seq), tx.Bucket(bucketSame).Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k))
	}
	deliveries := tx.Bucket(bucketDeliveries)
	for _, k := range keys {
		if bytes.Equal(deliveries.Get(k[8:]), prefix) {
			if err := deliveries.Delete(k[8:]); err != nil {
				return err
			}
		}
		if err := tx.Bucket(bucketSame).Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// moveTips notes where a stored trigger has moved a ref, for the projects whose remotes are looked at.
func moveTips(tx *bbolt.Tx, t *Trigger, seq uint64) error {
	if !t.movesTips() {
		return nil
	}
	for _, name := range t.Projects {
		if tx.Bucket(bucketLooked).Get([]byte(name)) == nil {
			continue
		}
		if err := moveTip(tx, name, t, seq); err != nil {
			return err
		}
	}
	return nil
}

func moveTip(tx *bbolt.Tx, project string, t *Trigger, seq uint64) error {
	key := tipKey(project, t.Ref)
	row, err := get[tipRow](tx, bucketTips, key)
	if err != nil {
		if err := unlessGone(err); err != nil {
			return err
		}
		row = &tipRow{}
	}
	switch {
	case t.Commit == "": // deleted; the row stays until a look shows so, since that may have begun before
		row.Commits, row.Polled, row.PolledCommit, row.Seq = nil, 0, "", seq
	case t.polled(): // a look saw it there: what was told before is history
		row.Commits = nil
		row.add(t.Commit, seq)
		row.Polled, row.PolledCommit = seq, t.Commit
	default:
		if t.Before == row.PolledCommit { // what the look saw is history
			row.Polled, row.PolledCommit = 0, ""
		}
		row.add(t.Commit, seq)
	}
	return put(tx, bucketTips, key, row)
}

// tipsOf returns the rows of a project by ref.
func tipsOf(tx *bbolt.Tx, project string) (map[string]*tipRow, error) {
	out := make(map[string]*tipRow)
	prefix, c := tipKey(project, ""), tx.Bucket(bucketTips).Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		row, err := get[tipRow](tx, bucketTips, k)
		if err != nil {
			return nil, err
		}
		out[string(k[len(prefix):])] = row
	}
	return out, nil
}

// forgetTips removes what is known of a project's remote, so that the next look is its first.
func forgetTips(tx *bbolt.Tx, project string) error {
	if err := tx.Bucket(bucketLooked).Delete([]byte(project)); err != nil {
		return err
	}
	var keys [][]byte
	prefix, c := tipKey(project, ""), tx.Bucket(bucketTips).Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		keys = append(keys, bytes.Clone(k))
	}
	for _, k := range keys {
		if err := tx.Bucket(bucketTips).Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// newestTrigger is the sequence number of the newest trigger.
func newestTrigger(tx *bbolt.Tx) uint64 {
	if k, _ := tx.Bucket(bucketTriggers).Cursor().Last(); k != nil {
		return max(binary.BigEndian.Uint64(k), tx.Bucket(bucketTriggers).Sequence())
	}
	return tx.Bucket(bucketTriggers).Sequence()
}
