package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// Body is what a frame can carry: every type of this package that has a kind of its own.
type Body interface {
	// Kind is the word that stands before this body on the wire.
	Kind() Kind
}

// Kind returns KindHello.
func (Hello) Kind() Kind { return KindHello }

// Kind returns KindJob.
func (Job) Kind() Kind { return KindJob }

// Kind returns KindStop.
func (Stop) Kind() Kind { return KindStop }

// Kind returns KindWelcome.
func (Welcome) Kind() Kind { return KindWelcome }

// Kind returns KindRefused.
func (Refused) Kind() Kind { return KindRefused }

// Kind returns KindLog.
func (Log) Kind() Kind { return KindLog }

// Kind returns KindPhaseBegan.
func (PhaseBegan) Kind() Kind { return KindPhaseBegan }

// Kind returns KindPhaseEnded.
func (PhaseEnded) Kind() Kind { return KindPhaseEnded }

// Kind returns KindCommandBegan.
func (CommandBegan) Kind() Kind { return KindCommandBegan }

// Kind returns KindCommandEnded.
func (CommandEnded) Kind() Kind { return KindCommandEnded }

// Kind returns KindArtifacts.
func (Artifacts) Kind() Kind { return KindArtifacts }

// Kind returns KindEarly.
func (Early) Kind() Kind { return KindEarly }

// Kind returns KindDone.
func (Done) Kind() Kind { return KindDone }

// Kind returns KindAnswer.
func (Answer) Kind() Kind { return KindAnswer }

// Kind returns KindResume.
func (Resume) Kind() Kind { return KindResume }

// Kind returns KindRequest.
func (Request) Kind() Kind { return KindRequest }

// Kind returns KindAlive.
func (Alive) Kind() Kind { return KindAlive }

// Kind returns KindPaused.
func (Paused) Kind() Kind { return KindPaused }

// Kind returns KindResumed.
func (Resumed) Kind() Kind { return KindResumed }

// Encode makes a frame of a body. The texts of what an agent says are cut to MaxText, those of commands to
// MaxCommandText. It fails only when the body cannot be written as JSON, which none of this package's types can
// bring about.
func Encode(seq uint64, body Body) (Frame, error) {
	if l, ok := body.(Log); ok {
		return Frame{Seq: seq, Kind: KindLog, Body: appendLogBody(nil, l.Data)}, nil
	}
	text, err := json.Marshal(bounded(body))
	if err != nil {
		return Frame{}, fmt.Errorf("encoding a %s frame: %w", body.Kind(), err)
	}
	return Frame{Seq: seq, Kind: body.Kind(), Body: text}, nil
}

// Decode reads a frame's body into a T. It fails when the frame is of another kind, or its JSON does not fit.
// Fields that T does not know are ignored, so that a newer side may add some. Texts are cut as Encode cuts them. The
// memory of a Log that was decoded before is used again.
func Decode[T Body](f Frame, body *T) error {
	if want := (*body).Kind(); f.Kind != want {
		return fmt.Errorf("decoding frame %d: it is %q, expected %q", f.Seq, f.Kind, want)
	}
	if l, ok := any(body).(*Log); ok && decodeLogBody(l, f.Body) {
		return nil
	}
	if err := json.Unmarshal(f.Body, body); err != nil {
		return fmt.Errorf("decoding frame %d, a %s: %w", f.Seq, f.Kind, err)
	}
	*body = bounded(*body).(T)
	return nil
}

// The body of a log frame is written and read by hand: it is most of the traffic, and the general encoder would
// copy and check each byte three times.
const (
	logHead = `{"data":"`
	logTail = `"}`
)

func appendLogBody(dst, data []byte) []byte {
	dst = append(dst, logHead...)
	dst = base64.StdEncoding.AppendEncode(dst, data)
	return append(dst, logTail...)
}

func decodeLogBody(l *Log, body []byte) bool {
	text, ok := bytes.CutPrefix(body, []byte(logHead))
	if !ok {
		return false
	}
	text, ok = bytes.CutSuffix(text, []byte(logTail))
	if !ok {
		return false
	}
	data, err := base64.StdEncoding.AppendDecode(l.Data[:0], text)
	if err != nil {
		return false
	}
	if l.Data = data; data == nil {
		l.Data = []byte{}
	}
	return true
}
