package e2e

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/internal/figures"
)

const (
	// hookConnections is how many connections deliver at once, and how many writers theirs has.
	hookConnections = 256
	// hookBytes is the size of a delivery.
	hookBytes = 8 << 10
	// hookTime is how long each side is measured.
	hookTime = 3 * time.Second
)

// BenchmarkFigureWebhooks counts the pushes that a daemon accepts in a second, each on disk before it is answered, while it
// makes builds of them; and in turns what bbolt.Batch stores of the same bytes, nothing else. All of it shares the machine
// with what sends them, whose processor time is reported beside the daemon's.
func BenchmarkFigureWebhooks(b *testing.B) {
	for _, c := range []struct{ name, commit string }{
		{"webhooks", strings.Repeat("c", 40)},
		{"webhooks-skipped", strings.Repeat("0", 40)}, // of branches that are deleted
	} {
		d := newDaemon(b, "", project("bench", "https://127.0.0.1:1/acme/bench.git"))
		body := pushBody(b, c.commit)
		figures.Run(b, c.name, "1/s", func(b *testing.B) (ours, theirs float64) {
			daemon, own := d.cpu(), ownCPU()
			n := d.flood(b, body)
			b.ReportMetric((d.cpu()-daemon).Seconds()*1e6/float64(n), "daemon-cpu-µs/hook")
			b.ReportMetric((ownCPU()-own).Seconds()*1e6/float64(n), "sender-cpu-µs/hook")
			return float64(n) / hookTime.Seconds(), batch(b, body)
		})
		d.kill()
	}
}

// pushBody is a push of hookBytes.
func pushBody(b *testing.B, commit string) []byte {
	push := pushOf("https://127.0.0.1:1/acme/bench.git", "refs/heads/main", commit)
	one := push.payload["head_commit"]
	var commits []any
	for {
		body, err := json.Marshal(push.payload)
		if err != nil {
			b.Fatal(err)
		}
		if len(body) >= hookBytes {
			return body
		}
		commits = append(commits, one)
		push.payload["commits"] = commits
	}
}

// flood delivers for a while over all connections, and returns how many deliveries were accepted.
func (d *daemon) flood(b *testing.B, body []byte) (accepted int64) {
	until := time.Now().Add(hookTime)
	return d.over(b, body, func() bool { return time.Now().Before(until) }, func(time.Duration) {})
}

// over delivers over all connections as long as there is to be more, and tells how long each answer took. It returns how
// many deliveries were accepted.
func (d *daemon) over(b *testing.B, body []byte, more func() bool, took func(time.Duration)) (accepted int64) {
	mac := hmac.New(sha256.New, []byte(hookSecret))
	mac.Write(body)
	head := fmt.Sprintf("POST /hooks/github HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"+
		"X-GitHub-Event: push\r\nX-Hub-Signature-256: sha256=%s\r\nX-GitHub-Delivery: ", d.address, len(body), hex.EncodeToString(mac.Sum(nil)))
	var count atomic.Int64
	var group sync.WaitGroup
	for i := range hookConnections {
		group.Go(func() {
			conn, err := net.Dial("tcp", d.address)
			if err != nil {
				b.Error(err)
				return
			}
			defer conn.Close()
			answers := bufio.NewReader(conn)
			for n := 0; more(); n++ {
				request := append(fmt.Appendf([]byte(head), "%d-%d-%d\r\n\r\n", time.Now().UnixNano(), i, n), body...)
				began := time.Now()
				if _, err := conn.Write(request); err != nil {
					b.Error(err)
					return
				}
				if status, err := readAnswer(answers); err != nil || status != http.StatusAccepted {
					b.Errorf("a delivery was answered %d, %v", status, err)
					return
				}
				took(time.Since(began))
				count.Add(1)
			}
		})
	}
	group.Wait()
	return count.Load()
}

// readAnswer reads an answer and returns its status. It costs less than net/http's reader, since the processor is shared
// with the daemon that is measured.
func readAnswer(r *bufio.Reader) (status int, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil || len(line) < len("HTTP/1.1 202") {
		return 0, fmt.Errorf("%q is no answer: %w", line, err)
	}
	status, _ = strconv.Atoi(string(line[9:12]))
	size := 0
	for len(line) > 2 {
		if line, err = r.ReadSlice('\n'); err != nil {
			return status, err
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			size, _ = strconv.Atoi(string(bytes.TrimSpace(v)))
		}
	}
	_, err = r.Discard(size)
	return status, err
}

// batch stores the same in a database of its own for as long, and returns how many it stored in a second.
func batch(b *testing.B, body []byte) float64 {
	path := filepath.Join(b.TempDir(), "theirs.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer os.Remove(path)
	defer db.Close()
	bucket := []byte("hooks")
	if err := db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket(bucket); return err }); err != nil {
		b.Fatal(err)
	}
	var count atomic.Int64
	var group sync.WaitGroup
	until := time.Now().Add(hookTime)
	for range hookConnections {
		group.Go(func() {
			for time.Now().Before(until) {
				err := db.Batch(func(tx *bbolt.Tx) error {
					k, err := tx.Bucket(bucket).NextSequence()
					if err != nil {
						return err
					}
					return tx.Bucket(bucket).Put(seqKey(k), body)
				})
				if err != nil {
					b.Error(err)
					return
				}
				count.Add(1)
			}
		})
	}
	group.Wait()
	return float64(count.Load()) / hookTime.Seconds()
}

// cpu is the processor time that the daemon took so far, that of what it ran and waited for included.
func (d *daemon) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.cmd.Process.Pid))
	if err != nil {
		d.t.Errorf("the daemon is gone: %v", err)
	}
	_, rest, _ := bytes.Cut(text, []byte(") "))
	var ticks int64
	for _, f := range strings.Fields(string(rest))[11:15] { // user, system, and both of children
		n, _ := strconv.ParseInt(f, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100
}

// ownCPU is the processor time of this process.
func ownCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
