package parse

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runner-ci/runner/tests"
)

// bigJUnit is a JUnit file of about size bytes, as it is read: most tests pass, some fail with a stack, some print.
type bigJUnit struct {
	left int
	n    int
	buf  bytes.Buffer
	over bool
}

func newBigJUnit(size int) *bigJUnit {
	b := &bigJUnit{left: size}
	b.buf.WriteString("<?xml version=\"1.0\"?>\n<testsuites>\n<testsuite name=\"org.example.Big\" time=\"12.5\">\n")
	return b
}

func (b *bigJUnit) Read(p []byte) (int, error) {
	for b.buf.Len() < len(p) && !b.over {
		b.more()
	}
	n, err := b.buf.Read(p)
	b.left -= n
	return n, err
}

func (b *bigJUnit) more() {
	if b.left <= 0 {
		b.buf.WriteString("</testsuite>\n</testsuites>\n")
		b.over = true
		return
	}
	b.n++
	fmt.Fprintf(&b.buf, "  <testcase classname=\"org.example.package%d.ServiceTest\" name=\"should do thing number %d &amp; more\" time=\"0.%03d\"", b.n%100, b.n, b.n%1000)
	switch {
	case b.n%50 == 0:
		b.buf.WriteString(">\n    <failure message=\"expected: &lt;1&gt; but was: &lt;2&gt;\" type=\"org.opentest4j.AssertionFailedError\">")
		for i := range 30 {
			fmt.Fprintf(&b.buf, "\tat org.example.deep.Stack.method%d(Stack.java:%d)\n", i, i)
		}
		b.buf.WriteString("</failure>\n  </testcase>\n")
	case b.n%10 == 0:
		b.buf.WriteString(">\n    <system-out><![CDATA[")
		for range 20 {
			b.buf.WriteString("2024-05-01 10:00:00.000 INFO [main] org.example.Service - handled a request & answered it <ok>\n")
		}
		b.buf.WriteString("]]></system-out>\n  </testcase>\n")
	default:
		b.buf.WriteString("/>\n")
	}
}

// cpu is the time that this process has worked. Benchmarks say what they take of it too, as others may be at work.
func cpu(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkJUnit reads 16 MiB, and shows how many times longer that takes than to look at each byte once, and the
// megabytes that it reads in a second of work.
func BenchmarkJUnit(b *testing.B) {
	text, err := io.ReadAll(newBigJUnit(16 << 20))
	if err != nil {
		b.Fatal(err)
	}
	const reads = 20
	began, lines := cpu(b), 0
	for range reads {
		for r, buf := bytes.NewReader(text), make([]byte, firstBuffer); ; {
			n, err := r.Read(buf)
			if lines += bytes.Count(buf[:n], []byte("\n")); err != nil {
				break
			}
		}
	}
	plain := (cpu(b) - began) / reads
	b.SetBytes(int64(len(text)))
	began = cpu(b)
	for b.Loop() {
		if err := Parse(JUnit, "big", bytes.NewReader(text), Sink{Case: func(*tests.Case) error { return nil }}); err != nil {
			b.Fatal(err)
		}
	}
	each := float64(cpu(b)-began) / float64(b.N)
	b.ReportMetric(each/float64(max(plain, 1)), "×read")
	b.ReportMetric(float64(len(text))/each*1e3, "MB/cpu-s")
}

// BenchmarkStandardXML reads the tokens of the same file with encoding/xml, for comparison.
func BenchmarkStandardXML(b *testing.B) {
	text, err := io.ReadAll(newBigJUnit(16 << 20))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	began := cpu(b)
	for b.Loop() {
		for d := xml.NewDecoder(bytes.NewReader(text)); ; {
			if _, err := d.RawToken(); err != nil {
				break
			}
		}
	}
	b.ReportMetric(float64(len(text))/(float64(cpu(b)-began)/float64(b.N))*1e3, "MB/cpu-s")
}

// BenchmarkFormats reads each fixture, repeated as little as it is: what a small file costs.
func BenchmarkFormats(b *testing.B) {
	for _, name := range fixtures(b) {
		text, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		format := strings.Split(name, "/")[1]
		b.Run(strings.TrimPrefix(name, "testdata/"), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				_ = Parse(format, "x", bytes.NewReader(text), Sink{})
			}
		})
	}
}

// A JUnit file of 100 MB takes less than 64 MiB of memory to read. The file is made while it is read, so that RssAnon
// is the parser's; the cases are counted and let go.
func TestBigFileInLittleMemory(t *testing.T) {
	if os.Getenv("RUNNER_SLOW") != "1" {
		t.Skip("takes seconds; RUNNER_SLOW=1 runs it")
	}
	if runtime.GOOS != "linux" {
		t.Skip("RssAnon is Linux's")
	}
	debug.FreeOSMemory()
	cases, high := 0, int64(0)
	sink := Sink{Case: func(*tests.Case) error {
		if cases++; cases%5000 == 0 {
			high = max(high, rssAnon(t))
		}
		return nil
	}}
	big := newBigJUnit(100_000_000)
	began := time.Now()
	if err := Parse(JUnit, "big", big, sink); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	if cases != big.n {
		t.Errorf("found %d of %d cases", cases, big.n)
	}
	t.Logf("100 MB with %d cases, made and read in %v: %.0f MB/s; RssAnon at most %.1f MiB", cases, took.Round(time.Millisecond), 100/took.Seconds(), float64(high)/(1<<20))
	if high >= 64<<20 {
		t.Errorf("RssAnon reached %d bytes, want less than 64 MiB", high)
	}
}

func rssAnon(t *testing.T) int64 {
	status, err := os.Open("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	defer status.Close()
	for lines := bufio.NewScanner(status); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "RssAnon:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("/proc/self/status has no RssAnon")
	return 0
}
