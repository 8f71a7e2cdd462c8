package contract

import (
	"net/http"
	"testing"
)

const small = `{"openapi":"3.1.0","paths":{"/a/{b}":{"get":{"responses":{"200":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/A"}}}}}}}},
"components":{"schemas":{"A":{"type":"object","additionalProperties":false,"required":["n"],"properties":{"n":{"type":"integer"},"at":{"type":"string","format":"date-time"}},"examples":[{"n":1}]},
"B":{"type":"string","enum":["x"],"examples":["y"]}}}}`

func TestAnswersFitOrDoNot(t *testing.T) {
	d, err := Read([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	for body, fits := range map[string]bool{
		`{"n":1}`: true, `{"n":1,"at":"2026-01-31T10:00:00Z"}`: true, `{"n":1,"at":"soon"}`: false, `{"n":1,"more":2}`: false, `{}`: false, `{"n":"1"}`: false, `{`: false, ``: false,
	} {
		if err := d.Answer(http.MethodGet, "/a/{b}", 200, "application/json", []byte(body)); (err == nil) != fits {
			t.Errorf("%s: %v", body, err)
		}
	}
	if d.Answer(http.MethodGet, "/a/{b}", 201, "application/json", []byte(`{"n":1}`)) == nil || d.Type("C", []byte(`1`)) == nil || d.Type("A", []byte(`{"n":2}`)) != nil {
		t.Error("what is not described fits, or what is does not")
	}
	if count, err := d.Examples(); count != 2 || err == nil {
		t.Errorf("%d examples: %v", count, err)
	}
	if _, err := Read([]byte(`[]`)); err == nil {
		t.Error("a list is read as a document")
	}
}
