package scheduler

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/runner-ci/runner/internal/failpoint"
)

// schemaVersion is the version of the buckets below. An older binary refuses a newer file.
const schemaVersion = 2

// Format is that version, for who asks whether a binary can read what another one writes.
const Format = schemaVersion

// Buckets of state.db.
var (
	bucketMeta       = []byte("meta")       // version, instance, epoch
	bucketProjects   = []byte("projects")   // name → config.Project made by the API
	bucketNumbers    = []byte("numbers")    // project name → newest build number
	bucketTriggers   = []byte("triggers")   // sequence → Trigger
	bucketPending    = []byte("pending")    // sequences of triggers that are no builds yet
	bucketDeliveries = []byte("deliveries") // delivery → sequence of its trigger
	bucketBuilds     = []byte("builds")     // project NUL number → Build without its plan
	bucketPlans      = []byte("plans")      // the same key → plan
	bucketOrder      = []byte("order")      // sequence → key in builds
	bucketActive     = []byte("active")     // keys of builds that have not ended
	bucketJobs       = []byte("jobs")       // project NUL number NUL index → Job
	bucketSandboxes  = []byte("sandboxes")  // sandbox id → sandboxRow
	bucketTokens     = []byte("tokens")     // its sequence numbers fencing tokens and sandboxes
	bucketTestQueues = []byte("testqueues") // project NUL number NUL call, row number → testHead, then what happened
	bucketTestTimes  = []byte("testtimes")  // project NUL test → testTime
	bucketReports    = []byte("reports")    // sequence → dueReports
	bucketEnded      = []byte("ended")      // status NUL sequence → key in builds, of those that ended
	bucketEndedOf    = []byte("endedof")    // project NUL status NUL number, of the same builds
	bucketRefs       = []byte("refs")       // project NUL ref NUL number, of the builds of that ref
	bucketTraces     = []byte("traces")     // sequence → dueTrace
	bucketLooked     = []byte("looked")     // project → lookedRow, of those whose remote is looked at
	bucketTips       = []byte("tips")       // project NUL ref → tipRow, of the same
	bucketSame       = []byte("same")       // sequence of a trigger, delivery that told the same later
	bucketWebhooks   = []byte("webhooks")   // project → Webhook
	bucketInbox      = []byte("inbox")      // number → Received
	bucketGroups     = []byte("groups")     // concurrency group NUL build's sequence → key in builds, of those that have not ended
	bucketOutcomes   = []byte("outcomes")   // outcome NUL sequence, of triggers that are not pending
)

var allBuckets = [][]byte{
	bucketMeta, bucketProjects, bucketNumbers, bucketTriggers, bucketPending, bucketDeliveries, bucketBuilds,
	bucketPlans, bucketOrder, bucketActive, bucketJobs, bucketSandboxes, bucketTokens, bucketTestQueues, bucketTestTimes,
	bucketReports, bucketTraces, bucketEnded, bucketEndedOf, bucketRefs, bucketGroups, bucketOutcomes,
	bucketLooked, bucketTips, bucketInbox, bucketWebhooks, bucketSame,
}

// Errors of this package, always wrapped with a sentence.
var (
	ErrNotFound      = errors.New("not found")
	ErrManagedByFile = errors.New("managed by the configuration file")
	ErrEnded         = errors.New("ended already")
	ErrFenced        = errors.New("the lease was lost to a newer attempt")
	ErrDraining      = errors.New("the daemon is draining")
)

// initialMmap spares the remaps that would make writers wait for readers while the file grows to this size.
const initialMmap = 1 << 30

// lockWait bounds how long another process may hold the file.
const lockWait = 3 * time.Second

// openState opens or makes state.db, and counts this start. The list of free pages is stored with each commit: without
// it, every start would read all pages to make it anew. It is short, because what Forget
// frees is used again by the builds that come.
func openState(path string, log *slog.Logger) (db *bbolt.DB, instance string, epoch uint64, err error) {
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: lockWait, InitialMmapSize: initialMmap, FreelistType: bbolt.FreelistMapType,
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, "", 0, fmt.Errorf("opening %s: another runner holds it; stop that one, or name another data directory", path)
	case errors.Is(err, fs.ErrPermission):
		return nil, "", 0, fmt.Errorf("opening %s: %w; run as the user that owns the data directory", path, err)
	case err != nil:
		return nil, "", 0, fmt.Errorf("opening %s: %w", path, err)
	}
	if err = upgrade(db, log); err == nil {
		err = db.Update(func(tx *bbolt.Tx) error {
			instance, epoch, err = prepare(tx)
			return err
		})
	}
	if err != nil {
		db.Close()
		return nil, "", 0, fmt.Errorf("opening %s: %w", path, err)
	}
	failpoint.Pass("7/start-counted")
	return db, instance, epoch, nil
}

func prepare(tx *bbolt.Tx) (instance string, epoch uint64, err error) {
	if err := makeBuckets(tx); err != nil {
		return "", 0, err
	}
	meta := tx.Bucket(bucketMeta)
	if got := version(tx); got > schemaVersion {
		return "", 0, fmt.Errorf("it has version %d of the state, this binary knows %d; use the newer binary that wrote it", got, schemaVersion)
	}
	if err := meta.Put([]byte("version"), number(schemaVersion)); err != nil {
		return "", 0, err
	}
	id := meta.Get([]byte("instance"))
	if id == nil {
		var raw [6]byte
		_, _ = rand.Read(raw[:])
		id = []byte(hex.EncodeToString(raw[:]))
		if err := meta.Put([]byte("instance"), id); err != nil {
			return "", 0, err
		}
	}
	if v := meta.Get([]byte("epoch")); v != nil {
		epoch = binary.BigEndian.Uint64(v)
	}
	epoch++
	return string(id), epoch, meta.Put([]byte("epoch"), number(epoch))
}

func makeBuckets(tx *bbolt.Tx) error {
	for _, name := range allBuckets {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return nil
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func get[T any](tx *bbolt.Tx, bucket, key []byte) (*T, error) {
	raw := tx.Bucket(bucket).Get(key)
	if raw == nil {
		return nil, ErrNotFound
	}
	v := new(T)
	if err := json.Unmarshal(raw, v); err != nil {
		return nil, fmt.Errorf("reading a row of %s: %w", bucket, err)
	}
	return v, nil
}

func put(tx *bbolt.Tx, bucket, key []byte, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding a row of %s: %w", bucket, err)
	}
	return tx.Bucket(bucket).Put(key, raw)
}

// Probe opens a state file for reading alone, for Check and for clean-up of what a dead process left. It returns
// fs.ErrNotExist when there is none.
func Probe(path string) (instance string, err error) {
	if _, err := os.Stat(path); err != nil {
		return "", err
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockWait, ReadOnly: true})
	if err != nil {
		return "", fmt.Errorf("opening %s: %w", path, err)
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		if meta := tx.Bucket(bucketMeta); meta != nil {
			instance = string(meta.Get([]byte("instance")))
		}
		return nil
	})
	return instance, err
}
