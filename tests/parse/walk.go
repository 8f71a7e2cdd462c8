package parse

import (
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// handler is what a format does with elements. Start may read attributes and begin to capture text; end is given the
// name of the element that ends.
type handler interface {
	start(x *xmlReader) error
	end(x *xmlReader) error
}

// walk leads a handler through a document.
func walk(in *input, h handler) error {
	x := newXML(in)
	for {
		n, err := x.next()
		if err == nil {
			if n == nodeStart {
				err = h.start(x)
			} else {
				err = h.end(x)
			}
			if err == nil {
				continue
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, errSink):
			return err
		}
		return &placed{offset: x.passed + int64(x.at), err: err}
	}
}

// placed is an error with the place in the file, in bytes of its text as UTF-8.
type placed struct {
	offset int64
	err    error
}

func (e *placed) Error() string {
	return "at byte " + strconv.FormatInt(e.offset, 10) + ": " + e.err.Error()
}

func (e *placed) Unwrap() error { return e.err }

// seconds reads a time in seconds. Surefire writes commas between thousands, others between seconds and fractions.
// What is no time is 0.
func seconds(text string) time.Duration {
	if text == "" {
		return 0
	}
	text = strings.TrimSuffix(text, "s")
	if i := strings.IndexByte(text, ','); i >= 0 {
		if len(text)-i != 4 && strings.IndexByte(text, '.') < 0 {
			text = strings.Replace(text, ",", ".", 1)
		}
		text = strings.ReplaceAll(text, ",", "")
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0
	}
	return span(f * float64(time.Second))
}

// span is a duration in nanoseconds, 0 when no test can take it: negative, not a number, more than a year.
func span(ns float64) time.Duration {
	if !(ns > 0) || ns > float64(366*24*time.Hour) {
		return 0
	}
	return time.Duration(math.Round(ns))
}

// errNested ends a document in which a test contains a test.
var errNested = errors.New("found a test case inside a test case")
