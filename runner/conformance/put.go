package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner"
)

// putIsRead tells of a daemon that answers a request of its job by a file, and then by another of that name.
func putIsRead(t *testing.T, newExecutor New) {
	b := oneBox(t, newExecutor)
	large := strings.Repeat("0123456789abcdef", 1<<16)
	for _, text := range []string{"first, and longer than the second", "second"} {
		b.mustPut("answer", text)
	}
	b.mustPut("large", large)
	b.mustPut("empty", "")
	spool := b.ex.Paths(b.spec.ID).Spool
	rec := b.run(b.job(
		fmt.Sprintf(`cd %q; echo "the answer is $(cat answer)"`, spool),
		`echo "large has $(wc -c <large) bytes"`, "test -f empty -a ! -s empty"))
	rec.wantStatus("SUCCEEDED")
	rec.wantLog("\nthe answer is second\n", fmt.Sprintf("\nlarge has %d bytes\n", len(large)))
}

func (b *box) mustPut(name, text string) {
	b.t.Helper()
	if err := b.ex.Put(b.t.Context(), b.spec.ID, name, strings.NewReader(text), int64(len(text))); err != nil {
		b.t.Fatal(err)
	}
}

// putIsWhole tells of content that ends too soon, fails, is refused, or belongs to nobody.
func putIsWhole(t *testing.T, newExecutor New) {
	b := oneBox(t, newExecutor)
	ctx := t.Context()
	broken := errors.New("the disk that it comes from broke")
	failing := io.MultiReader(strings.NewReader("some of it"), failingReader{broken})
	if err := b.ex.Put(ctx, b.spec.ID, "cut", strings.NewReader("short"), 100); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("content that ends too soon: %v", err)
	}
	if err := b.ex.Put(ctx, b.spec.ID, "broken", failing, 100); !errors.Is(err, broken) {
		t.Errorf("content that fails: %v", err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := b.ex.Put(cancelled, b.spec.ID, "late", strings.NewReader("late"), 4); !errors.Is(err, context.Canceled) {
		t.Errorf("put after the end: %v", err)
	}
	for _, name := range []string{"", ".", "..", "a/b", "../upper", "/etc/passwd"} {
		if err := b.ex.Put(ctx, b.spec.ID, name, strings.NewReader(""), 0); err == nil {
			t.Errorf("the name %q was taken", name)
		}
	}
	if err := b.ex.Put(ctx, b.spec.ID, "negative", strings.NewReader(""), -1); err == nil {
		t.Error("a size of -1 was taken")
	}
	if err := b.ex.Put(ctx, randomID(t), "answer", strings.NewReader(""), 0); !errors.Is(err, runner.ErrNoSandbox) {
		t.Errorf("put into an unknown sandbox: %v", err)
	}
	spool := b.ex.Paths(b.spec.ID).Spool
	rec := b.run(b.job(fmt.Sprintf("cd %q; cat cut broken late 2>/dev/null | wc -c; ls cut broken late 2>/dev/null || echo none is there", spool)))
	rec.wantLog("\n0\n", "\nnone is there\n")
}

type failingReader struct{ err error }

// Read fails.
func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

// putFollowsNoLink tells of a job that waits for the daemon with a link in the place of the file.
func putFollowsNoLink(t *testing.T, newExecutor New) {
	b := oneBox(t, newExecutor)
	spool := b.ex.Paths(b.spec.ID).Spool
	c := b.attach(1, 0)
	defer c.close()
	c.send(b.job(fmt.Sprintf(`echo kept >/tmp/target-%s; cd %q; ln -s /tmp/target-%s answer; echo ready`, b.spec.ID, spool, b.spec.ID),
		"i=0; while [ -L answer ] && [ $i -lt 600 ]; do i=$((i+1)); sleep 0.1; done",
		fmt.Sprintf("cat answer /tmp/target-%s; rm /tmp/target-%s", b.spec.ID, b.spec.ID)))
	rec := &record{t: t}
	for !strings.Contains(rec.log.String(), "\nready\n") {
		rec.take(c.read())
	}
	target := b.spec.Dir + "/aim"
	write(t, target, "kept too\n")
	b.mustPut("answer", "from the daemon\n")
	rec.followToEnd(c)
	rec.wantStatus("SUCCEEDED")
	rec.wantLog("\nfrom the daemon\nkept\n")
	if text, err := os.ReadFile(target); err != nil || string(text) != "kept too\n" {
		t.Errorf("another file changed: %q, %v", text, err)
	}
}

func capacityIsTold(t *testing.T, newExecutor New) {
	ex, _ := newExecutor(t)
	c, err := ex.Capacity(t.Context())
	if err != nil || c.CPUs < 1 || c.MemoryBytes < 64<<20 {
		t.Errorf("capacity %+v, %v", c, err)
	}
}
