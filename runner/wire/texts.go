package wire

const (
	// MaxText bounds the texts that an agent says for people, in bytes.
	MaxText = 4 << 10
	// maxWord bounds what is a word or a name: phases, statuses, reasons, codes.
	maxWord = 128
)

// Cut returns the first MaxText bytes of text, without splitting a character.
func Cut(text string) string { return cut(text, MaxText) }

func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && text[n]&0xC0 == 0x80 { // inside a character
		n--
	}
	return text[:n]
}

func word[T ~string](s T) T { return T(cut(string(s), maxWord)) }

// bounded cuts what an agent says to what is worth keeping. The agent's side does it so that its lines stay below
// MaxAgentLine, the daemon's because a job can write such lines itself, and what they say is kept in memory and in
// rows.
func bounded(body Body) Body {
	switch b := body.(type) {
	case Welcome:
		b.Version, b.Attempt = fit(b.Version, maxWord), fit(b.Attempt, maxWelcomed)
		if b.Request != nil {
			r := b.Request.bounded()
			b.Request = &r
		}
		return b
	case Request:
		return b.bounded()
	case Early:
		return b.bounded()
	case Alive:
		b.Call.Phase = word(b.Call.Phase)
		return b
	case Refused:
		b.Reason = Cut(b.Reason)
		return b
	case PhaseBegan:
		b.Phase = word(b.Phase)
		return b
	case PhaseEnded:
		b.Phase, b.Status, b.Code, b.Message = word(b.Phase), word(b.Status), word(b.Code), Cut(b.Message)
		return b
	case Paused:
		b.Phase = word(b.Phase)
		return b
	case Resumed:
		b.Phase = word(b.Phase)
		return b
	case CommandBegan:
		b.Phase, b.Text = word(b.Phase), cut(b.Text, MaxCommandText)
		return b
	case CommandEnded:
		b.Phase = word(b.Phase)
		return b
	case Artifacts:
		return b.bounded()
	case Done:
		return b.bounded()
	}
	return body
}
