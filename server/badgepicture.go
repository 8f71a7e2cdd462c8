package server

import (
	_ "embed"
	"encoding/xml"
	"io"
	"strings"
	"text/template"
	"unicode/utf8"

	"github.com/runner-ci/runner/client"
)

//go:embed badge.svg
var badgeSVG string

var badgeTemplate = template.Must(template.New("badge").Parse(badgeSVG))

// badgeLook is the sign and the colour of a state. White text on each has a contrast of 4.5 or more, and the sign says the
// same as the colour.
var badgeLook = map[string]struct{ sign, colour string }{
	client.BadgePassing:    {"✓", "#1a7f37"},
	client.BadgeFailing:    {"✗", "#cf222e"},
	client.BadgeInProgress: {"●", "#0969da"},
	client.BadgeUnknown:    {"?", "#59636e"},
}

// widths of characters of Verdana at 11 pixels, in tenths of a pixel; of any other, wideRune.
const (
	narrowRune, usualRune, wideRune = 39, 66, 110
	badgePadding, badgeCorner       = 8, 4
)

func textWidth(text string) int {
	tenths := 0
	for _, r := range text {
		switch {
		case strings.ContainsRune("ijlft.,:;'|!()[] ", r):
			tenths += narrowRune
		case strings.ContainsRune("mwMW@%", r), r > 0xff:
			tenths += wideRune
		default:
			tenths += usualRune
		}
	}
	return (tenths + 9) / 10
}

// drawBadge writes the picture. The label is anybody's text.
func drawBadge(w io.Writer, label, state string) error {
	look := badgeLook[state]
	label = strings.ToValidUTF8(label, "�")
	for utf8.RuneCountInString(label) > maxLabel {
		_, last := utf8.DecodeLastRuneInString(label)
		label = label[:len(label)-last]
	}
	labelLength, stateLength := textWidth(label), textWidth(look.sign+" "+state)
	left, right := labelLength+2*badgePadding, stateLength+2*badgePadding
	return badgeTemplate.Execute(w, map[string]any{
		"Label": escapeXML(label), "State": state, "Sign": look.sign, "Colour": look.colour,
		"Left": left, "LeftInner": left - badgeCorner, "RightInner": right - badgeCorner, "Width": left + right,
		"LabelAt": left / 2, "LabelLength": labelLength, "StateAt": left + right/2, "StateLength": stateLength,
	})
}

// maxLabel bounds the label in characters.
const maxLabel = 40

// escapeXML makes text of anything, also within an attribute.
func escapeXML(text string) string {
	var out strings.Builder
	_ = xml.EscapeText(&out, []byte(text)) // a Builder takes all
	return out.String()
}
